/* 8237A pair; see dma8237.h. */
#include "devices/dma8237.h"

/* Registers above the channels', data sheet figure "Register Codes". */
enum {
    COMMAND_STATUS = 8,
    REQUEST = 9,
    MASK_BIT = 10,
    MODE = 11,
    CLEAR_FLIP_FLOP = 12,
    MASTER_CLEAR = 13,
    CLEAR_MASK = 14,
    ALL_MASK = 15
};

static void master_clear(struct dma8237_chip *c) {
    c->command = c->request = 0;
    c->mask = 0x0f;
    c->high_byte = false;
}

static uint8_t chip_read(struct dma8237_chip *c, unsigned reg) {
    if (reg < COMMAND_STATUS) {
        uint8_t value = (uint8_t)(c->high_byte ? c->current[reg] >> 8 : c->current[reg]);
        c->high_byte = !c->high_byte;
        return value;
    }
    if (reg == COMMAND_STATUS)
        return (uint8_t)(c->request << 4);       /* no channel has reached its count */
    return reg == ALL_MASK ? 0xf0 | c->mask : 0; /* 0Dh: the temporary register */
}

static void set_bit(uint8_t *bits, uint8_t value) {
    uint8_t bit = (uint8_t)(1u << (value & 3));
    *bits = (uint8_t)(value & 4 ? *bits | bit : *bits & ~bit);
}

static void chip_write(struct dma8237_chip *c, unsigned reg, uint8_t value) {
    if (reg < COMMAND_STATUS) {
        uint16_t old = c->base[reg];
        c->base[reg] =
            (uint16_t)(c->high_byte ? (old & 0x00ff) | value << 8 : (old & 0xff00) | value);
        c->current[reg] = c->base[reg];
        c->high_byte = !c->high_byte;
        return;
    }
    switch (reg) {
    case COMMAND_STATUS:
        c->command = value;
        break;
    case REQUEST:
        set_bit(&c->request, value);
        break;
    case MASK_BIT:
        set_bit(&c->mask, value);
        break;
    case MODE:
        c->mode[value & 3] = value;
        break;
    case CLEAR_FLIP_FLOP:
        c->high_byte = false;
        break;
    case MASTER_CLEAR:
        master_clear(c);
        break;
    case CLEAR_MASK:
        c->mask = 0;
        break;
    default:
        c->mask = value & 0x0f;
        break;
    }
}

static uint32_t first_read(void *dev, uint16_t offset, unsigned size) {
    struct dma8237 *d = dev;
    (void)size;
    return chip_read(&d->chip[0], offset);
}

static void first_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct dma8237 *d = dev;
    (void)size;
    chip_write(&d->chip[0], offset, (uint8_t)value);
}

static uint32_t second_read(void *dev, uint16_t offset, unsigned size) {
    struct dma8237 *d = dev;
    (void)size;
    return chip_read(&d->chip[1], offset / 2);
}

static void second_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct dma8237 *d = dev;
    (void)size;
    chip_write(&d->chip[1], offset / 2, (uint8_t)value);
}

static uint32_t page_read(void *dev, uint16_t offset, unsigned size) {
    const uint8_t *page = dev;
    (void)size;
    return page[offset];
}

static void page_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    uint8_t *page = dev;
    (void)size;
    page[offset] = (uint8_t)value;
}

static const struct pio_ops first_ops = {first_read, first_write, 1};
static const struct pio_ops second_ops = {second_read, second_write, 1};
static const struct pio_ops page_ops = {page_read, page_write, 1};

bool dma8237_create(struct dma8237 *d, struct bus *bus) {
    dma8237_reset(d);
    return bus_map_pio(bus, 0x00, 16, &first_ops, d) &&
           bus_map_pio(bus, 0xc0, 32, &second_ops, d) &&
           bus_map_pio(bus, 0x81, 15, &page_ops, &d->page[1]);
}

void dma8237_reset(struct dma8237 *d) {
    *d = (struct dma8237){0};
    master_clear(&d->chip[0]);
    master_clear(&d->chip[1]);
}
