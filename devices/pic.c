/* 8259A pair; see pic.h. Names of command words as in the data sheet. */
#include "devices/pic.h"

#include <stddef.h>

#define ICW1_IC4  0x01u
#define ICW1_SNGL 0x02u
#define ICW1      0x10u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u
#define OCW3      0x08u
#define OCW3_POLL 0x04u
#define CASCADE   2u
#define NONE      8u
#define NO_SOURCE 16u

/* -- requests and priority -- */

/* Position of an input in the current priority order: 0 is the highest. */
static unsigned rank(const struct pic_chip *c, unsigned input) {
    return (input + 7u - c->lowest) & 7u;
}

/* The input of highest priority in set, NONE if it is empty. */
static unsigned highest(const struct pic_chip *c, uint8_t set) {
    for (unsigned i = 0; i < 8; i++) {
        unsigned input = (c->lowest + 1u + i) & 7u;
        if (set & 1u << input)
            return input;
    }
    return NONE;
}

/* The input this chip asks to have served now, NONE if there is none. */
static unsigned candidate(const struct pic *p, unsigned which) {
    const struct pic_chip *c = &p->chip[which];
    if (c->init_step)
        return NONE;
    unsigned input = highest(c, c->irr & (uint8_t)~c->imr);
    if (input == NONE)
        return NONE;
    uint8_t serving = c->isr;
    if (c->special_mask) /* levels that are masked do not block others */
        serving &= (uint8_t)~c->imr;
    if (which == 0 && c->nested_special)
        serving &= (uint8_t) ~(1u << CASCADE);
    unsigned current = highest(c, serving);
    return current == NONE || rank(c, input) < rank(c, current) ? input : NONE;
}

/* An input's level changed. */
static void chip_set_line(struct pic_chip *c, unsigned input, bool level) {
    uint8_t bit = (uint8_t)(1u << input);
    bool was = c->lines & bit;
    if (level) {
        c->lines |= bit;
        if (!was || (c->elcr & bit))
            c->irr |= bit;
    } else {
        c->lines &= (uint8_t)~bit;
        c->irr &= (uint8_t)~bit;
    }
}

/* Carries the slave's output to the master and the master's to the CPU. */
static void update(struct pic *p) {
    chip_set_line(&p->chip[0], CASCADE, candidate(p, 1) != NONE);
    irq_set(&p->out, candidate(p, 0) != NONE);
}

static void set_input(void *chip, unsigned input, bool level) {
    struct pic *p = chip;
    struct pic_chip *c = &p->chip[input / 8];
    uint8_t bit = (uint8_t)(1u << input % 8);
    if (((c->lines & bit) != 0) == level)
        return;
    chip_set_line(c, input % 8, level);
    update(p);
}

static void observe(struct pic *p, unsigned which) {
    for (unsigned i = which * 8; i < which * 8 + 8; i++)
        if (p->watch[i].observe)
            p->watch[i].observe(p->watch[i].dev);
}

/* -- acknowledge and end of interrupt -- */

static void chip_acknowledge(struct pic_chip *c, unsigned input) {
    uint8_t bit = (uint8_t)(1u << input);
    if (c->auto_eoi) {
        if (c->rotate_on_aeoi)
            c->lowest = (uint8_t)input;
    } else {
        c->isr |= bit;
    }
    if (!(c->elcr & bit))
        c->irr &= (uint8_t)~bit;
}

static void tell_changed(struct pic *p, unsigned input) {
    if (p->watch[input].changed)
        p->watch[input].changed(p->watch[input].dev);
}

uint8_t pic_acknowledge(struct pic *p) {
    struct pic_chip *master = &p->chip[0], *slave = &p->chip[1];
    unsigned input = candidate(p, 0);
    unsigned source = NO_SOURCE;
    uint8_t vector;
    if (input == NONE) {
        vector = (uint8_t)(master->base + 7);
    } else {
        chip_acknowledge(master, input);
        vector = (uint8_t)(master->base + input);
        source = input;
        if (input == CASCADE) {
            unsigned second = candidate(p, 1);
            vector = (uint8_t)(slave->base + (second == NONE ? 7 : second));
            source = NO_SOURCE;
            if (second != NONE) {
                chip_acknowledge(slave, second);
                source = 8 + second;
            }
            /* The slave drops its output for the acknowledge: what else it wants is a new edge. */
            chip_set_line(master, CASCADE, false);
        }
    }
    update(p);
    if (source != NO_SOURCE)
        tell_changed(p, source);
    return vector;
}

/* OCW2: bits 7:5 rotate, specific, EOI; bits 2:0 the input for the specific forms. */
static void write_ocw2(struct pic_chip *c, uint8_t value) {
    bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
    unsigned input = value & 7u;
    if (!eoi) {
        if (specific && rotate)
            c->lowest = (uint8_t)input;
        else if (!specific)
            c->rotate_on_aeoi = rotate;
        return;
    }
    if (!specific) {
        /* In special mask mode a non-specific EOI does not clear levels that are masked. */
        input = highest(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);
        if (input == NONE)
            return;
    }
    c->isr &= (uint8_t) ~(1u << input);
    if (rotate)
        c->lowest = (uint8_t)input;
}

/* -- registers -- */

static void write_icw1(struct pic_chip *c, uint8_t value) {
    c->imr = 0;
    c->isr = 0;
    c->irr = c->lines & c->elcr; /* edge requests need a new edge */
    c->lowest = 7;
    c->special_mask = c->read_isr = c->poll = false;
    c->auto_eoi = c->rotate_on_aeoi = c->nested_special = false;
    c->single = value & ICW1_SNGL;
    c->want_icw4 = value & ICW1_IC4;
    c->init_step = 2;
}

static void write_ocw3(struct pic_chip *c, uint8_t value) {
    if (value & 0x40)
        c->special_mask = value & 0x20;
    c->poll = value & OCW3_POLL;
    if (value & 0x02)
        c->read_isr = value & 0x01;
}

/* ICW2-4 and OCW1, at the odd port. */
static void write_data(struct pic_chip *c, uint8_t value) {
    switch (c->init_step) {
    case 0:
        c->imr = value;
        break;
    case 2:
        c->base = value & 0xf8;
        c->init_step = !c->single ? 3 : c->want_icw4 ? 4 : 0;
        break;
    case 3: /* the cascade is wired on the board */
        c->init_step = c->want_icw4 ? 4 : 0;
        break;
    default:
        c->auto_eoi = value & ICW4_AEOI;
        c->nested_special = value & ICW4_SFNM;
        c->init_step = 0;
        break;
    }
}

/* After a write that may have changed the chip's masks or requests. */
static void tell_all_changed(struct pic *p, unsigned which, uint8_t masks) {
    bool slave_too = which == 0 && (masks & 1u << CASCADE);
    for (unsigned i = 0; i < 16; i++)
        if ((i / 8 == which && (masks & 1u << i % 8)) || (i >= 8 && slave_too))
            tell_changed(p, i);
}

static void chip_write(struct pic *p, unsigned which, uint16_t offset, uint8_t value) {
    struct pic_chip *c = &p->chip[which];
    uint8_t changed = c->imr;
    observe(p, which);
    if (offset == 1) {
        write_data(c, value);
        changed ^= c->imr;
    } else if (value & ICW1) {
        write_icw1(c, value);
        changed = 0xff;
    } else if (value & OCW3) {
        write_ocw3(c, value);
        changed = 0;
    } else {
        write_ocw2(c, value);
        changed = 0;
    }
    update(p);
    if (changed)
        tell_all_changed(p, which, changed);
}

/* The poll command makes the next read an acknowledge (data sheet, "Poll Command"). */
static uint8_t chip_poll(struct pic *p, unsigned which) {
    struct pic_chip *c = &p->chip[which];
    c->poll = false;
    unsigned input = candidate(p, which);
    if (input == NONE)
        return 0;
    chip_acknowledge(c, input);
    if (which == 1 || input == CASCADE)
        chip_set_line(&p->chip[0], CASCADE, false);
    update(p);
    if (which == 1 || input != CASCADE)
        tell_changed(p, which * 8 + input);
    return (uint8_t)(0x80 | input);
}

static uint8_t chip_read(struct pic *p, unsigned which, uint16_t offset) {
    struct pic_chip *c = &p->chip[which];
    observe(p, which);
    if (c->poll)
        return chip_poll(p, which);
    if (offset == 1)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}

static uint32_t master_read(void *dev, uint16_t offset, unsigned size) {
    (void)size;
    return chip_read(dev, 0, offset);
}

static void master_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)size;
    chip_write(dev, 0, offset, (uint8_t)value);
}

static uint32_t slave_read(void *dev, uint16_t offset, unsigned size) {
    (void)size;
    return chip_read(dev, 1, offset);
}

static void slave_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)size;
    chip_write(dev, 1, offset, (uint8_t)value);
}

static void chip_set_elcr(struct pic_chip *c, uint8_t level) {
    c->elcr = level & c->elcr_valid;
    c->irr |= c->lines & c->elcr;
}

static uint32_t elcr_read(void *dev, uint16_t offset, unsigned size) {
    struct pic *p = dev;
    (void)size;
    return p->chip[offset].elcr;
}

static void elcr_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct pic *p = dev;
    (void)size;
    chip_set_elcr(&p->chip[offset], (uint8_t)value);
    update(p);
}

static const struct pio_ops master_ops = {master_read, master_write, 1};
static const struct pio_ops slave_ops = {slave_read, slave_write, 1};
static const struct pio_ops elcr_ops = {elcr_read, elcr_write, 1};

/* -- board -- */

bool pic_create(struct pic *p, struct bus *bus, struct irq_line out) {
    *p = (struct pic){.out = out};
    p->chip[0].elcr_valid = 0xf8;
    p->chip[1].elcr_valid = 0xde;
    pic_reset(p);
    return bus_map_pio(bus, 0x20, 2, &master_ops, p) && bus_map_pio(bus, 0xa0, 2, &slave_ops, p) &&
           bus_map_pio(bus, 0x4d0, 2, &elcr_ops, p);
}

void pic_reset(struct pic *p) {
    for (unsigned i = 0; i < 2; i++) {
        uint8_t valid = p->chip[i].elcr_valid, lines = p->chip[i].lines;
        p->chip[i] =
            (struct pic_chip){.elcr_valid = valid, .lines = lines, .imr = 0xff, .lowest = 7};
    }
    update(p);
}

struct irq_line pic_input(struct pic *p, unsigned input) {
    return (struct irq_line){.set = set_input, .chip = p, .input = input};
}

void pic_set_watch(struct pic *p, unsigned input, const struct pic_watch *watch) {
    p->watch[input] = *watch;
}

bool pic_masked(const struct pic *p, unsigned input) {
    if (input >= 8 && (p->chip[0].imr & 1u << CASCADE))
        return true;
    return p->chip[input / 8].imr & 1u << input % 8;
}

bool pic_requested(const struct pic *p, unsigned input) {
    return p->chip[input / 8].irr & 1u << input % 8;
}

void pic_set_elcr(struct pic *p, uint16_t level) {
    chip_set_elcr(&p->chip[0], (uint8_t)level);
    chip_set_elcr(&p->chip[1], (uint8_t)(level >> 8));
    update(p);
}
