/*
 * An interrupt line: what a device drives and an interrupt controller listens to.
 *
 * Invariant: a line has one driver. Devices that share an input each drive an input of a struct
 * irq_or in between.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct irq_line {
    void (*set)(void *chip, unsigned input, bool level); /* NULL: not connected */
    void *chip;
    unsigned input;
};

/* Drives the line high (asserted) or low. Driving the level it already has changes nothing. */
static inline void irq_set(const struct irq_line *line, bool level) {
    if (line->set)
        line->set(line->chip, line->input, level);
}

/* Wired OR of up to 32 drivers. */
struct irq_or {
    uint32_t levels;
    struct irq_line out;
};

static inline void irq_or_set(void *chip, unsigned input, bool level) {
    struct irq_or *o = (struct irq_or *)chip;
    o->levels = (o->levels & ~(1u << input)) | (uint32_t)level << input;
    irq_set(&o->out, o->levels != 0);
}

/* The line into input 0-31 of an OR. */
static inline struct irq_line irq_or_input(struct irq_or *o, unsigned input) {
    return (struct irq_line){irq_or_set, o, input};
}

#endif
