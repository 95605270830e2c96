/* VGA registers and the text screen; the memory is in vga_memory.c. See vga.h. */
#include "devices/vga.h"

#include "devices/vga_memory.h"
#include "host/host.h"

#define MISC_COLOUR 0x01u /* CRTC at 3D4h rather than 3B4h */
#define GC_MISC     6u
#define GC_GRAPHICS 0x01u
#define SEQ_MODE    4u

#define CR_H_END      0x01u
#define CR_OVERFLOW   0x07u
#define CR_MAX_SCAN   0x09u
#define CR_CURSOR     0x0au
#define CR_START      0x0cu
#define CR_CURSOR_AT  0x0eu
#define CR_V_RETRACE  0x11u
#define CR_V_END      0x12u
#define CR_OFFSET     0x13u
#define PROTECT       0x80u /* of CR_V_RETRACE: registers 0-7 are read-only */
#define CURSOR_OFF    0x20u
#define LINE_COMPARE8 0x10u /* of CR_OVERFLOW: the one bit PROTECT does not cover */

/* Timing of 720x400 at 70 Hz in nanoseconds. */
#define LINE_NS        31778u
#define LINE_SHOWN_NS  25400u
#define FRAME_LINES    449u
#define SHOWN_LINES    400u
#define RETRACE_FIRST  412u
#define RETRACE_LINES  2u
#define STATUS_BLANK   0x01u
#define STATUS_RETRACE 0x08u

/* -- registers -- */

static void write_attribute(struct vga *g, uint8_t value) {
    if (g->attr_data)
        g->attr[g->attr_index & 31u] = value;
    else
        g->attr_index = value & 0x3f;
    g->attr_data = !g->attr_data;
}

static uint8_t read_dac(struct vga *g) {
    uint8_t value = g->dac[g->dac_read][g->dac_part];
    g->dac_part = (uint8_t)((g->dac_part + 1) % 3);
    if (g->dac_part == 0)
        g->dac_read++;
    return value;
}

static void write_dac(struct vga *g, uint8_t value) {
    g->dac[g->dac_write][g->dac_part] = value & 0x3f;
    g->dac_part = (uint8_t)((g->dac_part + 1) % 3);
    if (g->dac_part == 0)
        g->dac_write++;
}

static void write_crtc(struct vga *g, uint8_t value) {
    uint8_t *r = &g->crtc[g->crtc_index & 31u];
    if ((g->crtc[CR_V_RETRACE] & PROTECT) && g->crtc_index < 8) {
        if (g->crtc_index == CR_OVERFLOW)
            *r = (uint8_t)((*r & ~LINE_COMPARE8) | (value & LINE_COMPARE8));
        return;
    }
    *r = value;
}

static uint8_t read_status(struct vga *g) {
    uint64_t now = clock_now(g->clock);
    unsigned line = (unsigned)(now / LINE_NS % FRAME_LINES);
    bool blank = line >= SHOWN_LINES || now % LINE_NS >= LINE_SHOWN_NS;
    bool retrace = line >= RETRACE_FIRST && line < RETRACE_FIRST + RETRACE_LINES;
    g->attr_data = false;
    return (uint8_t)((blank ? STATUS_BLANK : 0) | (retrace ? STATUS_RETRACE : 0));
}

/* The ports 3B4h, 3B5h, 3BAh and 3D4h, 3D5h, 3DAh are one set; MISC_COLOUR says where. */
static bool other_set(const struct vga *g, unsigned port) {
    bool colour = port >= 0x3d0, mono = port < 0x3c0;
    return g->misc & MISC_COLOUR ? mono : colour;
}

static uint32_t port_read(void *dev, uint16_t offset, unsigned size) {
    struct vga *g = dev;
    unsigned port = 0x3b0u + offset;
    (void)size;
    if (other_set(g, port))
        return 0xff;
    switch (port) {
    case 0x3c0:
        return g->attr_index;
    case 0x3c1:
        return g->attr[g->attr_index & 31u];
    case 0x3c2: /* a monitor is there */
        return 0x10;
    case 0x3c4:
        return g->seq_index;
    case 0x3c5:
        return g->seq[g->seq_index & 7u];
    case 0x3c6:
        return g->dac_mask;
    case 0x3c7:
        return g->dac_reading ? 3 : 0;
    case 0x3c8:
        return g->dac_write;
    case 0x3c9:
        return read_dac(g);
    case 0x3cc:
        return g->misc;
    case 0x3ce:
        return g->gc_index;
    case 0x3cf:
        return g->gc[g->gc_index & 15u];
    case 0x3b4:
    case 0x3d4:
        return g->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return g->crtc[g->crtc_index & 31u];
    case 0x3ba:
    case 0x3da:
        return read_status(g);
    default:
        return port == 0x3ca ? 0 : 0xff;
    }
}

static void port_write_byte(struct vga *g, unsigned port, uint8_t value) {
    if (other_set(g, port))
        return;
    switch (port) {
    case 0x3c0:
        write_attribute(g, value);
        break;
    case 0x3c2:
        g->misc = value;
        break;
    case 0x3c4:
        g->seq_index = value;
        break;
    case 0x3c5:
        g->seq[g->seq_index & 7u] = value;
        break;
    case 0x3c6:
        g->dac_mask = value;
        break;
    case 0x3c7:
    case 0x3c8:
        g->dac_reading = port == 0x3c7;
        if (g->dac_reading)
            g->dac_read = value;
        else
            g->dac_write = value;
        g->dac_part = 0;
        break;
    case 0x3c9:
        write_dac(g, value);
        break;
    case 0x3ce:
        g->gc_index = value;
        break;
    case 0x3cf:
        g->gc[g->gc_index & 15u] = value;
        break;
    case 0x3b4:
    case 0x3d4:
        g->crtc_index = value & 31u;
        break;
    case 0x3b5:
    case 0x3d5:
        write_crtc(g, value);
        break;
    default:
        break;
    }
}

static void port_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)size;
    port_write_byte(dev, 0x3b0u + offset, (uint8_t)value);
}

static const struct pio_ops port_ops = {port_read, port_write, 1};

/* -- the text screen -- */

bool vga_text_size(const struct vga *g, struct vga_text *t) {
    const uint8_t *cr = g->crtc;
    unsigned lines = cr[CR_V_END] | (cr[CR_OVERFLOW] & 2u) << 7 | (cr[CR_OVERFLOW] & 0x40u) << 3;
    unsigned height = (cr[CR_MAX_SCAN] & 31u) + 1;

    if ((g->gc[GC_MISC] & GC_GRAPHICS) || cr[CR_H_END] == 0)
        return false;
    t->columns = cr[CR_H_END] + 1u;
    t->rows = (lines + 1) / height;
    if (t->rows == 0 || t->rows > VGA_ROWS_MAX || t->columns > VGA_COLUMNS_MAX)
        return false;
    unsigned start = cr[CR_START] << 8 | cr[CR_START + 1];
    unsigned at = ((cr[CR_CURSOR_AT] << 8 | cr[CR_CURSOR_AT + 1]) - start) & 0xffff;
    unsigned pitch = cr[CR_OFFSET] ? cr[CR_OFFSET] * 2u : t->columns;
    bool off = cr[CR_CURSOR] & CURSOR_OFF;
    t->cursor_row = off ? t->rows : at / pitch;
    t->cursor_column = at % pitch;
    return true;
}

void vga_text_row(const struct vga *g, const struct vga_text *t, unsigned row, uint8_t *out) {
    const uint8_t *cr = g->crtc;
    unsigned start = cr[CR_START] << 8 | cr[CR_START + 1];
    unsigned pitch = cr[CR_OFFSET] ? cr[CR_OFFSET] * 2u : t->columns;
    /* text is fetched by words: each cell is two addresses in every plane */
    for (unsigned i = 0; i < t->columns; i++)
        out[i] = g->memory[(start + row * pitch + i) * 2 % VGA_PLANE_BYTES][0];
}

/* -- board -- */

bool vga_create(struct vga *g, struct bus *bus, struct vclock *clock) {
    g->clock = clock;
    return bus_map_pio(bus, 0x3b0, 0x30, &port_ops, g) &&
           bus_map_mmio(bus, VGA_MEMORY_GPA, VGA_MEMORY_BYTES, &vga_memory_ops, g);
}

void vga_reset(struct vga *g) {
    struct vclock *clock = g->clock;
    memset(g, 0, sizeof *g);
    g->clock = clock;
    g->misc = MISC_COLOUR;
    g->dac_mask = 0xff;
    g->gc[8] = 0xff; /* bit mask */
}

/* IBM VGA technical reference, mode 3+ (720x400). */
void vga_set_text_mode(struct vga *g) {
    static const uint8_t seq[] = {0x03, 0x00, 0x03, 0x00, 0x02};
    static const uint8_t gc[] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff};
    static const uint8_t crtc[] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                   0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                   0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
    static const uint8_t attr[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
                                   0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};

    g->misc = 0x67;
    memcpy(g->seq, seq, sizeof seq);
    memcpy(g->gc, gc, sizeof gc);
    memcpy(g->crtc, crtc, sizeof crtc);
    memcpy(g->attr, attr, sizeof attr);
    g->attr_index = 0x20;             /* the palette is in use */
    for (unsigned i = 0; i < 64; i++) /* rgbRGB */
        for (unsigned part = 0; part < 3; part++)
            g->dac[i][part] = (uint8_t)((i & 4u >> part ? 42 : 0) + (i & 0x20u >> part ? 21 : 0));
    for (unsigned cell = 0; cell < 0x4000; cell++) {
        g->memory[cell * 2][0] = ' ';
        g->memory[cell * 2][1] = 0x07;
    }
}
