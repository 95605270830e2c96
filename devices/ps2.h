/*
 * The PS/2 keyboard and mouse at the i8042's two ports: what they answer to commands. Nobody types
 * or moves them; they exist so that systems find what they expect.
 *
 * IBM PS/2 Hardware Interface Technical Reference, Keyboard (101/102-key) and Mouse sections.
 */
#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_QUEUE 16u

struct ps2_queue {
    uint8_t bytes[PS2_QUEUE];
    uint8_t head, count;
};

struct ps2_keyboard {
    struct ps2_queue out;
    uint8_t waiting;  /* command whose parameter comes next, 0: none */
    uint8_t scan_set; /* 1-3 */
    uint8_t leds, typematic;
    bool scanning;
};

struct ps2_mouse {
    struct ps2_queue out;
    uint8_t waiting;
    uint8_t rate, resolution;
    bool reporting, remote, scaling_2_1, wrap;
};

void ps2_keyboard_reset(struct ps2_keyboard *k);
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t value);
void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t value);

/* Takes the next byte a device wants to send. False: none. */
bool ps2_take(struct ps2_queue *q, uint8_t *value);

#endif
