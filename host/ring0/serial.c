/*
 * 16550 UARTs (National Semiconductor PC16550D datasheet).
 *
 * The guest's bytes pass through two rings. Each has one writer and one reader, on either side of
 * the line between ring 1 (host_chr_*) and ring 0 (serial_pump): no locks. Output is moved at every
 * regular kick, before a halt, and when the ring is half full.
 */
#include "host/ring0/serial.h"

#include "host/host.h"
#include "host/ring0/control.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/i8259.h"
#include "host/ring0/service.h"

enum { RBR = 0, THR = 0, DLL = 0, DLM = 1, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCR = 7 };
enum { IER_RX = 1, IER_THRE = 2, FCR_ON_CLEAR = 7, LCR_8N1 = 3, LCR_DLAB = 0x80 };
enum {
    MCR_DTR_RTS_OUT2 = 0xb,
    LSR_DR = 1,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    FIFO = 16,
    PATIENCE = 1000000
};
enum { RING = 16384 };

struct ring {
    volatile uint32_t head, tail; /* count up for ever; head: next to read */
    uint8_t bytes[RING];
};

static const uint16_t base[SERIAL_PORTS] = {0x3f8, 0x2f8};
static bool present[SERIAL_PORTS];
static struct ring in, out;
static uint8_t ier;

static uint32_t used(const struct ring *r) {
    return r->tail - r->head;
}

static void put(struct ring *r, uint8_t byte) {
    r->bytes[r->tail % RING] = byte;
    __asm__ volatile("" ::: "memory");
    r->tail = r->tail + 1;
}

static uint8_t get(struct ring *r) {
    uint8_t byte = r->bytes[r->head % RING];

    __asm__ volatile("" ::: "memory");
    r->head = r->head + 1;
    return byte;
}

static bool detect(uint16_t port) {
    out8(port + SCR, 0x5a);
    bool first = in8(port + SCR) == 0x5a;
    out8(port + SCR, 0xa5);
    return first && in8(port + SCR) == 0xa5;
}

void serial_init(void) {
    for (unsigned n = 0; n < SERIAL_PORTS; n++) {
        present[n] = detect(base[n]);
        if (!present[n])
            continue;
        out8(base[n] + IER, 0);
        out8(base[n] + LCR, LCR_DLAB);
        out8(base[n] + DLL, 1); /* 115200 baud */
        out8(base[n] + DLM, 0);
        out8(base[n] + LCR, LCR_8N1);
        out8(base[n] + FCR, FCR_ON_CLEAR);
        out8(base[n] + MCR, MCR_DTR_RTS_OUT2);
    }
}

void serial_listen_com2(void) {
    if (present[SERIAL_COM2])
        out8(base[SERIAL_COM2] + IER, IER_RX);
}

bool serial_take(unsigned n, uint8_t *byte) {
    if (!present[n] || !(in8(base[n] + LSR) & LSR_DR))
        return false;
    *byte = in8(base[n] + RBR);
    return true;
}

static void receive(uint8_t byte) {
    if (control_key(&byte))
        put(&in, byte);
}

static void set_ier(uint8_t value) {
    if (value != ier)
        out8(base[SERIAL_COM1] + IER, value);
    ier = value;
}

void serial_pump(void) {
    uint16_t port = base[SERIAL_COM1];

    if (!present[SERIAL_COM1]) {
        out.head = out.tail;
        return;
    }
    for (;;) {
        uint8_t lsr = in8(port + LSR);
        if (lsr & LSR_DR && used(&in) < RING) {
            receive(in8(port + RBR));
        } else if (lsr & LSR_THRE && used(&out)) {
            for (unsigned n = 0; n < FIFO && used(&out); n++)
                out8(port + THR, get(&out));
        } else {
            break;
        }
    }
    /* a full ring leaves the rest in the UART; what is left to send goes when it has room */
    set_ier((used(&in) < RING ? IER_RX : 0) | (used(&out) ? IER_THRE : 0));
}

bool serial_interrupt(void) {
    uint32_t before = in.tail;

    (void)in8(base[SERIAL_COM1] + FCR); /* IIR: takes THRE back */
    serial_pump();
    return in.tail != before || control_pending();
}

bool serial_news(void) {
    static uint32_t seen;
    bool news = in.tail != seen;

    seen = in.tail;
    return news;
}

/* Sends what the guest has written. False: the port takes nothing. */
static bool empty_ring(void) {
    while (used(&out) && present[SERIAL_COM1]) {
        uint32_t before = used(&out);
        for (unsigned i = 0; i < PATIENCE && used(&out) == before; i++)
            serial_pump();
        if (used(&out) == before)
            return false;
    }
    return true;
}

void serial_write(unsigned n, const char *text, size_t length) {
    if (!empty_ring() && n == SERIAL_COM1)
        present[n] = false;
    for (size_t i = 0; i < length && present[n]; i++) {
        unsigned tries = 0;
        while (!(in8(base[n] + LSR) & LSR_THRE) && ++tries < PATIENCE)
            __asm__ volatile("pause");
        if (tries == PATIENCE)
            present[n] = false;
        else
            out8(base[n] + THR, (uint8_t)text[i]);
    }
}

void serial_drain(void) {
    if (!empty_ring())
        present[SERIAL_COM1] = false;
    for (unsigned n = 0; n < SERIAL_PORTS; n++)
        for (unsigned tries = 0; present[n] && !(in8(base[n] + LSR) & LSR_TEMT); tries++)
            if (tries == PATIENCE)
                present[n] = false;
}

/* -- the guest's side (host/host.h): ring 1 -- */

bool host_chr_write(unsigned channel, const uint8_t *data, size_t n) {
    if (channel == CHANNEL_DEBUGCON)
        service_call(SERVICE_DEBUGCON, (uint64_t)(uintptr_t)data, n);
    if (channel != SERIAL_COM1)
        return true;
    if (n > RING - used(&out))
        return false;
    for (size_t i = 0; i < n; i++)
        put(&out, data[i]);
    if (used(&out) > RING / 2)
        service_call(SERVICE_SERIAL, 0, 0);
    return true;
}

size_t host_chr_read(unsigned channel, uint8_t *data, size_t n) {
    size_t got = 0;

    while (channel == SERIAL_COM1 && got < n && used(&in))
        data[got++] = get(&in);
    return got;
}
