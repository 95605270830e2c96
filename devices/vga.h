/*
 * A VGA as far as text needs it, and its memory in all modes: registers 3B0h-3DFh, 256 KiB in four
 * planes seen through A0000h-BFFFFh. Nothing is drawn; the text screen can be read.
 *
 * IBM VGA technical reference (PS/2 Hardware Interface Technical Reference, Video Subsystem).
 *
 *   plane 0  characters    A0000h           or B8000h, even bytes
 *   plane 1  attributes                                odd bytes
 *   plane 2  fonts
 *   plane 3
 */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/clock.h"

enum { VGA_PLANES = 4, VGA_PLANE_BYTES = 65536, VGA_COLUMNS_MAX = 256, VGA_ROWS_MAX = 128 };

struct vga {
    struct vclock *clock;
    uint8_t misc;
    uint8_t seq_index, gc_index, crtc_index, attr_index;
    bool attr_data; /* the next write to 3C0h is data */
    uint8_t seq[8], gc[16], crtc[32], attr[32];
    uint8_t dac[256][3];
    uint8_t dac_mask, dac_read, dac_write, dac_part;
    bool dac_reading;
    uint8_t latch[VGA_PLANES];
    uint8_t memory[VGA_PLANE_BYTES][VGA_PLANES];
};

/* Attaches ports and memory. False: one is taken. */
bool vga_create(struct vga *g, struct bus *bus, struct vclock *clock);
void vga_reset(struct vga *g);
/* As firmware leaves it: mode 3, 80x25 characters, the screen blank, without fonts. */
void vga_set_text_mode(struct vga *g);

/* The text screen. False: the mode is a graphics mode, or none is set. */
struct vga_text {
    unsigned columns, rows;
    unsigned cursor_column, cursor_row; /* outside the screen when it is off */
};
bool vga_text_size(const struct vga *g, struct vga_text *t);
/* Characters (code page 437) of a row, t->columns bytes. */
void vga_text_row(const struct vga *g, const struct vga_text *t, unsigned row, uint8_t *out);

#endif
