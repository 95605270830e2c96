/*
 * 8259A initialisation and end of interrupt (Intel 8259A datasheet, "Programming the 8259A").
 */
#include "host/ring0/i8259.h"

#include "host/ring0/cpu_ops.h"
#include "host/ring0/layout.h"

enum {
    MASTER = 0x20,
    SLAVE = 0xa0,
    ICW1 = 0x11, /* edge-triggered, cascaded, ICW4 follows */
    ICW4 = 0x01, /* 8086 mode */
    OCW2_EOI = 0x20,
    OCW3_READ_ISR = 0x0b,
    CASCADE = 2,
};

void i8259_init(void) {
    out8(MASTER, ICW1);
    out8(SLAVE, ICW1);
    out8(MASTER + 1, VECTOR_PIC);
    out8(SLAVE + 1, VECTOR_PIC + 8);
    out8(MASTER + 1, 1u << CASCADE);
    out8(SLAVE + 1, CASCADE);
    out8(MASTER + 1, ICW4);
    out8(SLAVE + 1, ICW4);
    out8(MASTER + 1, 0xff & ~(1u << CASCADE));
    out8(SLAVE + 1, 0xff);
}

void i8259_unmask(unsigned line) {
    uint16_t port = line < 8 ? MASTER + 1 : SLAVE + 1;

    out8(port, in8(port) & (uint8_t) ~(1u << (line & 7)));
}

bool i8259_acknowledge(unsigned line) {
    uint16_t port = line < 8 ? MASTER : SLAVE;

    if ((line & 7) == 7) { /* the lowest priority, given when a request has gone away */
        out8(port, OCW3_READ_ISR);
        if (!(in8(port) & 0x80)) {
            if (line == 15)
                out8(MASTER, OCW2_EOI);
            return false;
        }
    }
    if (line >= 8)
        out8(SLAVE, OCW2_EOI);
    out8(MASTER, OCW2_EOI);
    return true;
}
