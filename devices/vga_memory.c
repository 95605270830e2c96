/*
 * The VGA's memory (vga_memory.h): address decoding, latches, read and write modes.
 *
 * IBM VGA technical reference, sequencer (registers 2 and 4) and graphics controller (0-8).
 *
 *   chain 4    byte a is plane a % 4 at address a & ~3
 *   odd/even   byte a is plane a % 2 (or 2 + a % 2) at address a & ~1
 *   planar     byte a is address a of the planes that the masks name
 */
#include "devices/vga_memory.h"

#include "devices/vga.h"

enum { SEQ_MAP_MASK = 2, SEQ_MODE = 4 };
#define SEQ_ODD_EVEN_OFF 0x04u
#define SEQ_CHAIN4       0x08u

enum {
    GC_SET_RESET = 0,
    GC_ENABLE_SET_RESET = 1,
    GC_COMPARE = 2,
    GC_ROTATE = 3,
    GC_READ_MAP = 4,
    GC_MODE = 5,
    GC_MISC = 6,
    GC_DONT_CARE = 7,
    GC_BIT_MASK = 8
};
#define MODE_WRITE    0x03u
#define MODE_COMPARE  0x08u /* read mode 1 */
#define MODE_ODD_EVEN 0x10u

/* The byte's place in the window that GC_MISC selects. False: not in it. */
static bool decode(const struct vga *g, uint64_t offset, uint32_t *at) {
    static const struct {
        uint32_t base, bytes;
    } maps[4] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    unsigned map = g->gc[GC_MISC] >> 2 & 3u;
    if (offset < maps[map].base || offset >= maps[map].base + maps[map].bytes)
        return false;
    *at = (uint32_t)(offset - maps[map].base) % VGA_PLANE_BYTES;
    return true;
}

static uint8_t read_byte(struct vga *g, uint64_t offset) {
    uint32_t at;
    if (!decode(g, offset, &at))
        return 0xff;
    unsigned plane = g->gc[GC_READ_MAP] & 3u;
    if (g->seq[SEQ_MODE] & SEQ_CHAIN4) {
        plane = at & 3u;
        at &= ~3u;
    } else if (g->gc[GC_MODE] & MODE_ODD_EVEN) {
        plane = (plane & 2u) | (at & 1u);
        at &= ~1u;
    }
    for (unsigned p = 0; p < VGA_PLANES; p++)
        g->latch[p] = g->memory[at][p];
    if (!(g->gc[GC_MODE] & MODE_COMPARE))
        return g->latch[plane];
    uint8_t differ = 0;
    for (unsigned p = 0; p < VGA_PLANES; p++)
        if (g->gc[GC_DONT_CARE] & 1u << p)
            differ |= g->latch[p] ^ (g->gc[GC_COMPARE] & 1u << p ? 0xff : 0);
    return (uint8_t)~differ;
}

static uint8_t rotate(const struct vga *g, uint8_t value) {
    unsigned n = g->gc[GC_ROTATE] & 7u;
    return (uint8_t)(value >> n | value << (8 - n));
}

static uint8_t combine(const struct vga *g, uint8_t value, uint8_t latch) {
    switch (g->gc[GC_ROTATE] >> 3 & 3u) {
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    case 3:
        return value ^ latch;
    default:
        return value;
    }
}

/* What goes to plane p of an address when the processor writes value. */
static uint8_t plane_value(const struct vga *g, unsigned p, uint8_t value) {
    uint8_t mask = g->gc[GC_BIT_MASK], latch = g->latch[p];
    uint8_t set = g->gc[GC_SET_RESET] & 1u << p ? 0xff : 0;
    uint8_t data;

    switch (g->gc[GC_MODE] & MODE_WRITE) {
    case 0:
        data = g->gc[GC_ENABLE_SET_RESET] & 1u << p ? set : rotate(g, value);
        break;
    case 1:
        return latch;
    case 2:
        data = value & 1u << p ? 0xff : 0;
        break;
    default:
        mask &= rotate(g, value);
        data = set;
        break;
    }
    return (uint8_t)((combine(g, data, latch) & mask) | (latch & ~mask));
}

static void write_byte(struct vga *g, uint64_t offset, uint8_t value) {
    uint32_t at;
    if (!decode(g, offset, &at))
        return;
    unsigned planes = g->seq[SEQ_MAP_MASK] & 15u;
    if (g->seq[SEQ_MODE] & SEQ_CHAIN4) {
        planes &= 1u << (at & 3u);
        at &= ~3u;
    } else if (!(g->seq[SEQ_MODE] & SEQ_ODD_EVEN_OFF)) {
        planes &= 5u << (at & 1u);
        at &= ~1u;
    }
    for (unsigned p = 0; p < VGA_PLANES; p++)
        if (planes & 1u << p)
            g->memory[at][p] = plane_value(g, p, value);
}

static uint64_t memory_read(void *dev, uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_byte(dev, offset + i) << 8 * i;
    return value;
}

static void memory_write(void *dev, uint64_t offset, unsigned size, uint64_t value) {
    for (unsigned i = 0; i < size; i++)
        write_byte(dev, offset + i, (uint8_t)(value >> 8 * i));
}

const struct mmio_ops vga_memory_ops = {memory_read, memory_write, 1 | 2 | 4 | 8};
