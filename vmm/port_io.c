/*
 * IN, OUT, INS, OUTS: permission and transfer.
 *
 * Intel SDM vol. 1 chapter 19 (IOPL, permission bit map), vol. 2A/2B.
 *
 * A repeated INS or OUTS moves one element at a time, with the registers exact after each, and
 * leaves for events between elements; EIP then stands at the instruction.
 */
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/segment.h"
#include "vmm/string_priv.h"
#include "vmm/vm.h"

/* -- permission -- */

#define TSS32_IO_BASE 102u /* offset of the bit map's offset */
#define TSS32_SIZE    104u

/* The bit map of a 32-bit TSS: all bits of the ports must be clear. Reads two bytes whatever the
 * port, as the CPU does, so that the map must have one byte after its last. */
static bool bitmap_allows(struct vcpu *v, uint16_t port, unsigned size) {
    uint16_t base, bits;

    if ((v->tr.attr & (SEG_P | SEG_S)) != SEG_P ||
        (attr_system_type(v->tr.attr) | SYS_TSS_BUSY_BIT) != SYS_TSS32_BUSY ||
        v->tr.limit < TSS32_SIZE - 1)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!mmu_read16(v, v->tr.base + TSS32_IO_BASE, &base, false))
        return false;

    uint32_t offset = base + port / 8u;

    if (offset + 1 > v->tr.limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!mmu_read16(v, v->tr.base + offset, &bits, false))
        return false;
    if ((bits >> (port & 7u)) & ((1u << size) - 1))
        return vcpu_raise_error(v, VEC_GP, 0);
    return true;
}

static bool port_allowed(struct vcpu *v, uint16_t port, unsigned size) {
    if (!(v->cr0 & CR0_PE))
        return true;
    if (!(v->sysflags & EFL_VM) && v->cpl <= callout_iopl(v))
        return true;
    return bitmap_allows(v, port, size);
}

/* -- IN and OUT -- */

static uint16_t port_operand(const struct vcpu *v, uint64_t arg) {
    return (uint16_t)(CO_RM(arg) ? v->gpr[EDX] : CO_IMM(arg));
}

/* The access is done. An interrupt that it has raised is taken at once: translated code would find
 * it by a host exception. */
static enum callout_result finish(struct vcpu *v, uint16_t port, unsigned size) {
    debug_note_io(v, port, size);
    return v->vm->stop == VM_RUNNING && !cpu_can_interrupt(v) ? CALLOUT_NEXT : callout_leave(v);
}

enum callout_result callout_in(struct vcpu *v, uint64_t arg) {
    uint16_t port = port_operand(v, arg);
    unsigned size = CO_OPSIZE(arg);

    if (!port_allowed(v, port, size))
        return CALLOUT_EXIT;
    callout_set_reg(v, EAX, bus_pio_read(v->vm, port, size), size);
    return finish(v, port, size);
}

enum callout_result callout_out(struct vcpu *v, uint64_t arg) {
    uint16_t port = port_operand(v, arg);
    unsigned size = CO_OPSIZE(arg);
    uint32_t value = v->gpr[EAX];

    if (!port_allowed(v, port, size))
        return CALLOUT_EXIT;
    if (size < 4)
        value &= (1u << 8 * size) - 1;
    bus_pio_write(v->vm, port, size, value);
    return finish(v, port, size);
}

/* -- INS and OUTS -- */

/* Moves one element between the port and the memory operand, which may have a host pointer. */
typedef bool (*element_fn)(struct vcpu *v, uint16_t port, unsigned size, gla_t gla, uint8_t *ptr);

/* The port is read only when its value can be stored. */
static bool in_element(struct vcpu *v, uint16_t port, unsigned size, gla_t gla, uint8_t *ptr) {
    if (!ptr && !mmu_probe(v, gla, size, MMU_W | (vcpu_user(v) ? MMU_USER : 0)))
        return false;

    uint32_t value = bus_pio_read(v->vm, port, size);

    debug_note_access(v, gla, size, true);
    if (!ptr)
        return mmu_write(v, gla, &value, size, vcpu_user(v));
    string_store(ptr, value, size);
    return true;
}

static bool out_element(struct vcpu *v, uint16_t port, unsigned size, gla_t gla, uint8_t *ptr) {
    uint32_t value = 0;

    debug_note_access(v, gla, size, false);
    if (ptr)
        value = string_load(ptr, size);
    else if (!mmu_read(v, gla, &value, size, vcpu_user(v)))
        return false;
    bus_pio_write(v->vm, port, size, value);
    return true;
}

struct transfer {
    element_fn element;
    unsigned sreg, reg, access; /* the memory operand */
};

/* Ends the instruction after an element, with the registers up to date. */
static bool must_leave(struct vcpu *v, uint16_t port, unsigned size) {
    debug_note_io(v, port, size);
    return string_must_yield(v);
}

/* Moves a span's elements. True: all done, *leave says whether an event waits. False: fault. */
static bool move_span(struct vcpu *v, uint64_t arg, const struct transfer *t,
                      const struct string_span *span, bool *leave) {
    uint16_t port = (uint16_t)v->gpr[EDX];
    unsigned size = CO_OPSIZE(arg);
    ptrdiff_t step = string_stride(v, size);
    uint8_t *ptr = span->count ? span->ptr : NULL;
    uint32_t n = span->count ? span->count : 1;

    for (*leave = false; n && !*leave; n--) {
        if (!t->element(v, port, size, span->gla, ptr))
            return false;
        ptr = ptr ? ptr + step : NULL;
        string_advance(v, arg, t->reg, 1);
        string_count_down(v, arg, 1);
        *leave = must_leave(v, port, size);
    }
    return true;
}

static enum callout_result run(struct vcpu *v, uint64_t arg, const struct transfer *t) {
    bool leave = false;

    if (!string_remaining(v, arg))
        return CALLOUT_NEXT;
    if (!port_allowed(v, (uint16_t)v->gpr[EDX], CO_OPSIZE(arg)))
        return CALLOUT_EXIT;
    v->code_written = false;
    do {
        struct string_span span;

        if (!string_span(v, arg, t->sreg, t->reg, t->access, string_remaining(v, arg), &span) ||
            !move_span(v, arg, t, &span, &leave))
            return CALLOUT_EXIT;
        if (CO_REP(arg) == CO_REP_NONE || !string_remaining(v, arg))
            return leave ? callout_leave(v) : callout_wrote(v);
    } while (!leave);
    return string_yield(v);
}

enum callout_result callout_ins(struct vcpu *v, uint64_t arg) {
    static const struct transfer ins = {in_element, SEG_ES, EDI, MMU_W};

    return run(v, arg, &ins);
}

enum callout_result callout_outs(struct vcpu *v, uint64_t arg) {
    const struct transfer outs = {out_element, CO_SEG(arg), ESI, MMU_R};

    return run(v, arg, &outs);
}
