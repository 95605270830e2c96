/* Port and memory-mapped I/O dispatch; see bus.h. */
#include "vmm/bus.h"

#include <stddef.h>

#include "host/host.h"
#include "vmm/activity.h"

#define PORTS       65536u
#define PIO_RANGES  256u /* what a uint8_t index reaches; 0 is the open bus */
#define MMIO_RANGES 64u

struct pio_range {
    const struct pio_ops *ops;
    void *dev;
    uint32_t base, last;
};

struct mmio_range {
    const struct mmio_ops *ops;
    void *dev;
    gpa_t base, last;
};

struct bus {
    uint8_t index[PORTS];
    struct pio_range pio[PIO_RANGES];
    struct mmio_range mmio[MMIO_RANGES];
    unsigned mmio_count;
};

/* Takes no size at all, so that every access ends as bytes nobody answers. */
static const struct pio_ops open_bus = {.sizes = 0};

bool bus_create(struct vm *vm) {
    struct bus *b = host_alloc(sizeof *b);
    if (!b)
        return false;
    b->pio[0] = (struct pio_range){.ops = &open_bus, .last = PORTS - 1};
    vm->bus = b;
    return true;
}

/* -- ports -- */

bool bus_map_pio(struct bus *b, uint16_t base, unsigned count, const struct pio_ops *ops,
                 void *dev) {
    if (count == 0 || base + count > PORTS)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (b->index[base + i])
            return false;
    unsigned slot = 1;
    while (slot < PIO_RANGES && b->pio[slot].ops)
        slot++;
    if (slot == PIO_RANGES)
        return false;
    b->pio[slot] =
        (struct pio_range){.ops = ops, .dev = dev, .base = base, .last = base + count - 1};
    memset(&b->index[base], (int)slot, count);
    return true;
}

void bus_unmap_pio(struct bus *b, uint16_t base) {
    struct pio_range *r = &b->pio[b->index[base]];
    if (r->ops == &open_bus || r->base != base)
        return;
    memset(&b->index[base], 0, r->last - r->base + 1);
    *r = (struct pio_range){0};
}

static uint32_t size_mask(unsigned size) {
    return size >= 4 ? 0xffffffffu : (1u << size * 8) - 1;
}

static bool takes(const struct pio_range *r, uint16_t port, unsigned size) {
    return (r->ops->sizes & size) != 0 && port + size - 1 <= r->last;
}

uint32_t bus_pio_read(struct vm *vm, uint16_t port, unsigned size) {
    const struct pio_range *r = &vm->bus->pio[vm->bus->index[port]];
    vm->vcpu.activity_port = port;
    if (__builtin_expect(takes(r, port, size), 1))
        return r->ops->read(r->dev, (uint16_t)(port - r->base), size) & size_mask(size);
    if (size == 1)
        return 0xff;
    unsigned half = size / 2;
    uint32_t low = bus_pio_read(vm, port, half);
    return low | bus_pio_read(vm, (uint16_t)(port + half), half) << half * 8;
}

void bus_pio_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value) {
    const struct pio_range *r = &vm->bus->pio[vm->bus->index[port]];
    vm->vcpu.activity_port = port;
    if (__builtin_expect(takes(r, port, size), 1)) {
        r->ops->write(r->dev, (uint16_t)(port - r->base), size, value & size_mask(size));
        return;
    }
    if (size == 1)
        return;
    unsigned half = size / 2;
    bus_pio_write(vm, port, half, value);
    bus_pio_write(vm, (uint16_t)(port + half), half, value >> half * 8);
}

/* -- physical addresses -- */

bool bus_map_mmio(struct bus *b, gpa_t base, uint64_t bytes, const struct mmio_ops *ops,
                  void *dev) {
    gpa_t last = base + bytes - 1;
    if (bytes == 0 || last < base || b->mmio_count == MMIO_RANGES)
        return false;
    for (unsigned i = 0; i < b->mmio_count; i++)
        if (b->mmio[i].base <= last && base <= b->mmio[i].last)
            return false;
    b->mmio[b->mmio_count++] =
        (struct mmio_range){.ops = ops, .dev = dev, .base = base, .last = last};
    return true;
}

static const struct mmio_range *find_mmio(const struct bus *b, gpa_t gpa) {
    for (unsigned i = 0; i < b->mmio_count; i++)
        if (b->mmio[i].base <= gpa && gpa <= b->mmio[i].last)
            return &b->mmio[i];
    return NULL;
}

/* The largest access the device takes that starts at gpa, is aligned and has at most n bytes; 0 if
 * it does not even take a byte there. */
static unsigned mmio_step(const struct mmio_range *r, gpa_t gpa, unsigned n) {
    for (unsigned size = 8; size > 0; size /= 2)
        if ((r->ops->sizes & size) && size <= n && gpa % size == 0 && gpa + size - 1 <= r->last)
            return size;
    return 0;
}

void bus_mmio_read(struct vm *vm, gpa_t gpa, void *buf, unsigned size) {
    uint8_t *to = buf;
    uint32_t before = activity_begin(&vm->vcpu, ACTIVITY_MMIO);
    while (size > 0) {
        const struct mmio_range *r = find_mmio(vm->bus, gpa);
        unsigned step = r ? mmio_step(r, gpa, size) : 0;
        uint64_t value = step ? r->ops->read(r->dev, gpa - r->base, step) : 0xff;
        if (step == 0)
            step = 1;
        memcpy(to, &value, step);
        to += step;
        gpa += step;
        size -= step;
    }
    activity_end(&vm->vcpu, before);
}

void bus_mmio_write(struct vm *vm, gpa_t gpa, const void *buf, unsigned size) {
    const uint8_t *from = buf;
    uint32_t before = activity_begin(&vm->vcpu, ACTIVITY_MMIO);
    while (size > 0) {
        const struct mmio_range *r = find_mmio(vm->bus, gpa);
        unsigned step = r ? mmio_step(r, gpa, size) : 0;
        if (step == 0) {
            step = 1;
        } else {
            uint64_t value = 0;
            memcpy(&value, from, step);
            r->ops->write(r->dev, gpa - r->base, step, value);
        }
        from += step;
        gpa += step;
        size -= step;
    }
    activity_end(&vm->vcpu, before);
}
