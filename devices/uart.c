/* 16550A; see uart.h. Register and bit names as in the data sheet. */
#include "devices/uart.h"

#include "host/host.h"

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_RDA  0x01u
#define IER_THRE 0x02u
#define IER_RLS  0x04u
#define IER_MSI  0x08u

#define IIR_NONE 0x01u
#define IIR_MSI  0x00u
#define IIR_THRE 0x02u
#define IIR_RDA  0x04u
#define IIR_RLS  0x06u
#define IIR_CTI  0x0cu
#define IIR_FIFO 0xc0u

#define FCR_ENABLE   0x01u
#define FCR_RX_RESET 0x02u
#define FCR_TX_RESET 0x04u

#define LCR_DLAB 0x80u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u

#define LSR_DR   0x01u
#define LSR_OE   0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u

#define MSR_CTS   0x10u
#define MSR_DSR   0x20u
#define MSR_RI    0x40u
#define MSR_DCD   0x80u
#define MSR_LINES 0xf0u
#define MSR_TERI  0x04u

#define RETRY_NS 1000000u

static bool fifo_on(const struct uart *u) {
    return u->fcr & FCR_ENABLE;
}

static unsigned capacity(const struct uart *u) {
    return fifo_on(u) ? UART_FIFO : 1;
}

static unsigned trigger_level(const struct uart *u) {
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return fifo_on(u) ? levels[u->fcr >> 6] : 1;
}

/* -- interrupts -- */

/* The interrupt identification of highest priority (data sheet table "Interrupt Control
 * Functions"). */
static uint8_t identify(const struct uart *u) {
    if ((u->ier & IER_RLS) && u->errors)
        return IIR_RLS;
    if ((u->ier & IER_RDA) && u->rx_count)
        return u->rx_count >= trigger_level(u) ? IIR_RDA : IIR_CTI;
    if ((u->ier & IER_THRE) && u->thre_pending)
        return IIR_THRE;
    if ((u->ier & IER_MSI) && (u->msr & ~MSR_LINES))
        return IIR_MSI;
    return IIR_NONE;
}

static void update(struct uart *u) {
    irq_set(&u->irq, (u->mcr & MCR_OUT2) && identify(u) != IIR_NONE);
}

/* -- data -- */

static void receive(struct uart *u, uint8_t byte) {
    if (u->rx_count == capacity(u)) {
        u->errors |= LSR_OE;
        if (!fifo_on(u))
            u->rx[u->rx_head] = byte;
        return;
    }
    u->rx[(u->rx_head + u->rx_count++) % UART_FIFO] = byte;
}

void uart_poll(struct uart *u) {
    uint8_t bytes[UART_FIFO];
    unsigned room = capacity(u) - u->rx_count;
    if (room == 0 || (u->mcr & MCR_LOOP))
        return;
    size_t n = host_chr_read(u->channel, bytes, room);
    for (size_t i = 0; i < n; i++)
        receive(u, bytes[i]);
    if (n)
        update(u);
}

/* Sends what stands in the transmit FIFO; what the host does not take now is tried again later. */
static void drain(struct uart *u) {
    if (u->tx_count == 0)
        return;
    while (u->tx_count) {
        if (!host_chr_write(u->channel, &u->tx[u->tx_head], 1)) {
            clock_timer_set(u->clock, &u->retry, clock_now(u->clock) + RETRY_NS);
            return;
        }
        u->tx_head = (u->tx_head + 1) % UART_FIFO;
        u->tx_count--;
    }
    u->thre_pending = true;
}

static void on_retry(void *dev, uint64_t now) {
    (void)now;
    drain(dev);
    update(dev);
}

static void transmit(struct uart *u, uint8_t byte) {
    u->thre_pending = false;
    if (u->mcr & MCR_LOOP) {
        receive(u, byte);
        u->thre_pending = true;
        return;
    }
    if (u->tx_count == 0 && host_chr_write(u->channel, &byte, 1)) {
        u->thre_pending = true;
        return;
    }
    if (u->tx_count < capacity(u))
        u->tx[(u->tx_head + u->tx_count++) % UART_FIFO] = byte;
    if (!u->retry.queued)
        drain(u);
}

static uint8_t read_rbr(struct uart *u) {
    uint8_t byte = u->rx[u->rx_head];
    if (u->rx_count) {
        u->rx_head = (u->rx_head + 1) % UART_FIFO;
        u->rx_count--;
    }
    if (u->rx_count == 0)
        uart_poll(u);
    return byte;
}

/* -- modem lines -- */

/* Whoever is at the other end is always ready; in loopback the lines are our own outputs. */
static void set_modem_lines(struct uart *u) {
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
    if (u->mcr & MCR_LOOP)
        lines = (uint8_t)((u->mcr & 0x0c) << 4 | (u->mcr & 0x02) << 3 | (u->mcr & 0x01) << 5);
    uint8_t change = (lines ^ u->msr) & MSR_LINES;
    uint8_t delta = change >> 4;
    if (lines & MSR_RI) /* only the trailing edge of RI counts */
        delta &= (uint8_t)~MSR_TERI;
    u->msr = (uint8_t)(lines | (u->msr & ~MSR_LINES) | delta);
}

/* -- registers -- */

static void write_fcr(struct uart *u, uint8_t value) {
    bool toggled = (value ^ u->fcr) & FCR_ENABLE;
    if (toggled || (value & FCR_RX_RESET))
        u->rx_count = 0;
    if (toggled || (value & FCR_TX_RESET)) {
        u->tx_count = 0;
        clock_timer_cancel(u->clock, &u->retry);
        u->thre_pending = true;
    }
    u->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
}

static uint8_t read_lsr(struct uart *u) {
    uint8_t value = u->errors;
    if (u->rx_count)
        value |= LSR_DR;
    if (u->tx_count == 0)
        value |= LSR_THRE | LSR_TEMT;
    u->errors = 0;
    return value;
}

static uint8_t read_iir(struct uart *u) {
    uint8_t id = identify(u);
    if (id == IIR_THRE)
        u->thre_pending = false;
    return id | (fifo_on(u) ? IIR_FIFO : 0);
}

static uint32_t uart_read(void *dev, uint16_t offset, unsigned size) {
    struct uart *u = dev;
    uint8_t value = 0;
    (void)size;
    switch (offset) {
    case RBR_THR:
        if (u->lcr & LCR_DLAB)
            return u->dll;
        value = read_rbr(u);
        break;
    case IER:
        return u->lcr & LCR_DLAB ? u->dlm : u->ier;
    case IIR_FCR:
        value = read_iir(u);
        break;
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case LSR:
        value = read_lsr(u);
        break;
    case MSR:
        value = u->msr;
        u->msr &= MSR_LINES;
        break;
    default:
        return u->scr;
    }
    update(u);
    return value;
}

static void write_ier(struct uart *u, uint8_t value) {
    /* Enabling the transmitter interrupt while the transmitter is empty raises it. */
    if ((value & ~u->ier & IER_THRE) && u->tx_count == 0)
        u->thre_pending = true;
    u->ier = value & 0x0f;
}

static void uart_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct uart *u = dev;
    uint8_t byte = (uint8_t)value;
    (void)size;
    switch (offset) {
    case RBR_THR:
        if (u->lcr & LCR_DLAB)
            u->dll = byte;
        else
            transmit(u, byte);
        break;
    case IER:
        if (u->lcr & LCR_DLAB)
            u->dlm = byte;
        else
            write_ier(u, byte);
        break;
    case IIR_FCR:
        write_fcr(u, byte);
        break;
    case LCR:
        u->lcr = byte;
        break;
    case MCR:
        u->mcr = byte & 0x1f;
        set_modem_lines(u);
        break;
    case SCR:
        u->scr = byte;
        break;
    default: /* LSR and MSR are for factory tests only */
        break;
    }
    update(u);
}

static const struct pio_ops uart_ops = {uart_read, uart_write, 1};

/* -- board -- */

bool uart_create(struct uart *u, struct bus *bus, struct vclock *clock, uint16_t base,
                 struct irq_line irq, unsigned channel) {
    *u = (struct uart){.irq = irq, .clock = clock, .channel = channel};
    clock_timer_init(&u->retry, on_retry, u);
    uart_reset(u);
    return bus_map_pio(bus, base, 8, &uart_ops, u);
}

void uart_reset(struct uart *u) {
    clock_timer_cancel(u->clock, &u->retry);
    u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->errors = 0;
    u->dll = 12; /* 9600 baud; the data sheet leaves the divisor undefined */
    u->dlm = 0;
    u->rx_count = u->tx_count = u->rx_head = u->tx_head = 0;
    u->thre_pending = false;
    set_modem_lines(u);
    u->msr &= MSR_LINES;
    update(u);
}
