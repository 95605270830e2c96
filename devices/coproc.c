/* Coprocessor error logic; see coproc.h. */
#include "devices/coproc.h"

enum { PORT = 0xf0 };

static uint32_t port_read(void *dev, uint16_t offset, unsigned size) {
    (void)dev;
    (void)offset;
    (void)size;
    return 0xff;
}

static void port_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct coproc *c = dev;
    (void)offset;
    (void)size;
    (void)value;
    irq_set(&c->irq, false);
    *c->ignne = c->ferr;
}

static const struct pio_ops ops = {port_read, port_write, 1};

bool coproc_create(struct coproc *c, struct bus *bus, struct irq_line irq, bool *ignne) {
    *c = (struct coproc){.irq = irq, .ignne = ignne};
    return bus_map_pio(bus, PORT, 1, &ops, c);
}

void coproc_reset(struct coproc *c) {
    c->ferr = false;
    *c->ignne = false;
    irq_set(&c->irq, false);
}

void coproc_set_ferr(struct coproc *c, bool asserted) {
    if (asserted && !c->ferr)
        irq_set(&c->irq, true);
    if (!asserted)
        *c->ignne = false;
    c->ferr = asserted;
}
