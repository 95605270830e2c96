/*
 * Delivery of interrupts and exceptions: IDT gates, stack switch, the real-mode vector table.
 *
 * Intel SDM vol. 3A chapter 6 (6.12 gates and stack use, 6.13 error codes), vol. 2A INT n
 * (operation section, which gives the order of the checks), vol. 3B 20.1.4 and 20.3 (real and
 * virtual-8086 mode).
 *
 * Everything is read and checked first; the frame goes out with one write, the last step that can
 * fault; only then do registers change.
 */
#include "vmm/interrupt.h"

#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/recall.h"
#include "vmm/segment.h"
#include "vmm/stack.h"
#include "vmm/task.h"

/* Where a gate leads. */
struct target {
    struct seg cs;
    uint32_t eip;
    unsigned cpl;
    bool wide;  /* 32-bit gate */
    bool close; /* interrupt gate: clears IF */
};

/* A frame is built downwards in `byte`, in pushes of 2 or 4 bytes. */
enum { FRAME_MAX = 40 };
struct frame {
    uint8_t byte[FRAME_MAX];
    uint32_t top; /* first byte used */
    uint32_t size;
};

static inline void frame_push(struct frame *f, uint32_t value) {
    f->top -= f->size;
    if (f->size == 4)
        memcpy(f->byte + f->top, &value, 4);
    else
        memcpy(f->byte + f->top, &value, 2);
}

static inline void frame_push_return(struct frame *f, const struct vcpu *v,
                                     const struct interrupt_event *e) {
    frame_push(f, e->image);
    frame_push(f, v->seg[SEG_CS].sel);
    frame_push(f, e->eip);
    if (e->has_error)
        frame_push(f, e->error);
}

static bool write_frame(struct vcpu *v, const struct frame *f, const struct seg *ss, uint32_t *esp,
                        unsigned cpl, uint32_t ss_error) {
    return stack_push_frame(v, ss, esp, f->byte + f->top, FRAME_MAX - f->top, f->size, cpl == 3,
                            ss_error);
}

/* The registers of a handler entered through an interrupt or trap gate. */
static void enter(struct vcpu *v, const struct target *t) {
    uint32_t clear = EFL_TF | EFL_NT | EFL_RF | EFL_VM | (t->close ? EFL_IF : 0);

    vcpu_set_seg(v, SEG_CS, &t->cs);
    v->cpl = (uint8_t)t->cpl;
    v->eip = t->eip;
    vcpu_set_eflags(v, 0, clear);
}

/* -- protected mode -- */

static bool deliver_same_level(struct vcpu *v, const struct interrupt_event *e, struct target *t) {
    struct frame f = {.top = FRAME_MAX, .size = t->wide ? 4 : 2};
    uint32_t esp = v->gpr[ESP];

    frame_push_return(&f, v, e);
    if (!write_frame(v, &f, &v->seg[SEG_SS], &esp, t->cpl, e->ext))
        return false;
    v->gpr[ESP] = esp;
    enter(v, t);
    return true;
}

static bool deliver_inner_level(struct vcpu *v, const struct interrupt_event *e, struct target *t) {
    bool v86 = v->sysflags & EFL_VM;
    struct frame f = {.top = FRAME_MAX, .size = t->wide ? 4 : 2};
    struct seg ss;
    uint32_t esp;

    if (!segment_fetch_tss_stack(v, t->cpl, e->ext, &ss, &esp))
        return false;
    if (v86) {
        frame_push(&f, v->seg[SEG_GS].sel);
        frame_push(&f, v->seg[SEG_FS].sel);
        frame_push(&f, v->seg[SEG_DS].sel);
        frame_push(&f, v->seg[SEG_ES].sel);
    }
    frame_push(&f, v->seg[SEG_SS].sel);
    frame_push(&f, v->gpr[ESP]);
    frame_push_return(&f, v, e);
    if (!write_frame(v, &f, &ss, &esp, t->cpl, (ss.sel & 0xfffcu) | e->ext))
        return false;

    if (v86) {
        static const struct seg null = {0};

        vcpu_set_seg(v, SEG_GS, &null);
        vcpu_set_seg(v, SEG_FS, &null);
        vcpu_set_seg(v, SEG_DS, &null);
        vcpu_set_seg(v, SEG_ES, &null);
    }
    vcpu_set_seg(v, SEG_SS, &ss);
    v->gpr[ESP] = esp;
    enter(v, t);
    return true;
}

/* The handler's code segment, checked against the current level. Sets t->cs and t->cpl. */
static bool fetch_handler(struct vcpu *v, uint16_t sel, unsigned ext, struct target *t) {
    if (sel_is_null(sel))
        return vcpu_raise_error(v, VEC_GP, ext);
    if (!segment_fetch(v, sel, &t->cs, VEC_GP, ext))
        return false;

    unsigned dpl = attr_dpl(t->cs.attr);

    if (!attr_is_code(t->cs.attr) || dpl > v->cpl)
        return segment_fault(v, VEC_GP, sel, ext);
    if (!(t->cs.attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, ext);
    t->cpl = attr_is_conforming(t->cs.attr) ? v->cpl : dpl;
    /* Out of virtual-8086 mode the only way leads to level 0. */
    if ((v->sysflags & EFL_VM) && t->cpl != 0)
        return segment_fault(v, VEC_GP, sel, ext);
    if (t->eip > t->cs.limit)
        return vcpu_raise_error(v, VEC_GP, ext);
    t->cs.sel = (uint16_t)((sel & 0xfffcu) | t->cpl);
    return segment_set_accessed(v, &t->cs);
}

static bool deliver_task_gate(struct vcpu *v, const struct interrupt_event *e, uint16_t tss) {
    if (!task_switch(v, tss, TASK_EVENT, e->ext, e->eip, e->image))
        return false;
    return !e->has_error || task_push_error(v, e->error, e->ext);
}

static bool deliver_protected(struct vcpu *v, const struct interrupt_event *e) {
    uint32_t idt_error = e->vector * 8 + 2 + e->ext;
    struct desc gate;
    struct target t;

    if (e->vector * 8 + 7 > v->idtr.limit)
        return vcpu_raise_error(v, VEC_GP, idt_error);
    if (!mmu_read(v, v->idtr.base + e->vector * 8, &gate, sizeof gate, false))
        return false;

    uint16_t attr = (uint16_t)((gate.hi >> 8) & 0xffu);
    unsigned type = attr_system_type(attr);
    uint16_t sel = (uint16_t)(gate.lo >> 16);

    if (type != SYS_TASK_GATE && (type & ~(SYS_WIDE_BIT | 1u)) != SYS_INT16)
        return vcpu_raise_error(v, VEC_GP, idt_error);
    if (e->software && attr_dpl(attr) < v->cpl)
        return vcpu_raise_error(v, VEC_GP, idt_error);
    if (!(attr & SEG_P))
        return vcpu_raise_error(v, VEC_NP, idt_error);
    if (type == SYS_TASK_GATE)
        return deliver_task_gate(v, e, sel);

    t.wide = type & SYS_WIDE_BIT;
    t.close = !(type & 1u);
    t.eip = (gate.lo & 0xffffu) | (t.wide ? gate.hi & 0xffff0000u : 0);
    if (!fetch_handler(v, sel, e->ext, &t))
        return false;
    return t.cpl < v->cpl ? deliver_inner_level(v, e, &t) : deliver_same_level(v, e, &t);
}

/* -- real mode -- */

/* Pushes FLAGS, CS, IP and jumps through the vector table. */
static bool deliver_real(struct vcpu *v, const struct interrupt_event *e) {
    struct frame f = {.top = FRAME_MAX, .size = 2};
    struct target t = {.cpl = v->cpl};
    uint32_t esp = v->gpr[ESP];
    uint32_t entry;

    if (e->vector * 4 + 3 > v->idtr.limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!mmu_read32(v, v->idtr.base + e->vector * 4, &entry, false))
        return false;
    segment_paragraph(v, SEG_CS, (uint16_t)(entry >> 16), &t.cs);
    t.eip = entry & 0xffffu;
    if (t.eip > t.cs.limit)
        return vcpu_raise_error(v, VEC_GP, 0);

    frame_push(&f, e->image);
    frame_push(&f, v->seg[SEG_CS].sel);
    frame_push(&f, e->eip);
    if (!write_frame(v, &f, &v->seg[SEG_SS], &esp, v->cpl, 0))
        return false;
    v->gpr[ESP] = esp;
    vcpu_set_seg(v, SEG_CS, &t.cs);
    v->eip = t.eip;
    vcpu_set_eflags(v, 0, EFL_IF | EFL_TF | EFL_AC | EFL_RF);
    return true;
}

/* -- entry points -- */

/* The exceptions that are faults and push RF set (SDM vol. 3B section 17.3.1.1). #DB and interrupts
 * push it as it is: set by the run loop between the iterations of a repeated instruction. */
static bool pushes_rf(unsigned vector) {
    const uint32_t faults = 1u << VEC_DE | 1u << VEC_BR | 1u << VEC_UD | 1u << VEC_NM |
                            1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP |
                            1u << VEC_PF | 1u << VEC_MF | 1u << VEC_AC | 1u << VEC_XM;

    return vector < 32 && (faults >> vector & 1u);
}

static bool deliver(struct vcpu *v, const struct interrupt_event *e) {
    if (LOG_ON(LOG_INT)) {
        host_log("int: v=%02x e=%04x i=%u cpl=%u IP=%04x:%08x pc=@%08x SP=%04x:%08x EFL=%08x "
                 "EAX=%08x CR2=%08x",
                 e->vector, e->has_error ? e->error : 0, e->software, v->cpl, v->seg[SEG_CS].sel,
                 e->eip, v->seg[SEG_CS].base + e->eip, v->seg[SEG_SS].sel, v->gpr[ESP], e->image,
                 v->gpr[EAX], v->cr2);
    }
    uint8_t hits = v->dr6_hits;
    unsigned from = v->cpl;

    if (!recall_deliver(v, e)) {
        if (!(v->cr0 & CR0_PE ? deliver_protected(v, e) : deliver_real(v, e)))
            return false;
        recall_note_gate(v, e->vector, from);
    }
    v->halted = false;
    v->shadow = SHADOW_NONE;
    v->stepping = false; /* an INT n is not followed by the #DB of TF, which it has cleared */
    v->dr6_hits = hits;  /* the frame is no data access */
    if (e->vector == VEC_DB && !e->software)
        v->dr[7] &= ~DR7_GD; /* the handler may use the registers */
    return true;
}

bool cpu_deliver(struct vcpu *v, unsigned vector, enum event_kind kind, bool has_error,
                 uint32_t error) {
    struct interrupt_event e = {
        .vector = vector,
        .software = kind == EVENT_SOFTWARE,
        .has_error = has_error && (v->cr0 & CR0_PE),
        .ext = kind != EVENT_SOFTWARE,
        .error = error,
        .eip = v->eip,
        .image = vcpu_eflags(v),
    };

    if (kind == EVENT_EXCEPTION && pushes_rf(vector))
        e.image |= EFL_RF;
    return deliver(v, &e);
}

bool interrupt_software(struct vcpu *v, unsigned vector, uint32_t eip) {
    struct interrupt_event e = {
        .vector = vector, .software = true, .eip = eip, .image = vcpu_eflags(v) & ~EFL_RF};

    return deliver(v, &e);
}

bool interrupt_icebp(struct vcpu *v, uint32_t eip) {
    struct interrupt_event e = {
        .vector = VEC_DB, .ext = 1, .eip = eip, .image = vcpu_eflags(v) & ~EFL_RF};

    return deliver(v, &e);
}

/* -- faults during delivery (SDM vol. 3A section 6.15, interrupt 8) -- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class classify(unsigned vector) {
    switch (vector) {
    case VEC_DE:
    case VEC_TS:
    case VEC_NP:
    case VEC_SS:
    case VEC_GP:
        return CONTRIBUTORY;
    case VEC_PF:
        return PAGE_FAULT;
    case VEC_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

/* SDM table 6-5: does `second`, met while delivering `first`, make more than itself? */
static bool escalates(enum fault_class first, enum fault_class second) {
    if (second == BENIGN)
        return false;
    return first >= PAGE_FAULT || (first == CONTRIBUTORY && second == CONTRIBUTORY);
}

bool cpu_deliver_pending(struct vcpu *v) {
    struct exception exc = v->exc;

    /* Each turn meets a graver fault than the last, so this ends by itself; the bound is for the
     * guest that proves otherwise. */
    for (unsigned tries = 0; tries < 8; tries++) {
        v->exc.pending = false;
        if (exc.vector == VEC_PF) {
            v->cr2 = exc.cr2;
            v->pf_delivered = true;
        }
        if (cpu_deliver(v, exc.vector, EVENT_EXCEPTION, exc.has_error, exc.error))
            return true;
        if (!escalates(classify(exc.vector), classify(v->exc.vector))) {
            exc = v->exc;
            continue;
        }
        if (exc.vector == VEC_DF)
            break;
        /* The second page fault still loads CR2, as on hardware. */
        if (v->exc.vector == VEC_PF)
            v->cr2 = v->exc.cr2;
        if (LOG_ON(LOG_GUEST_ERRORS))
            host_log("guest_errors: double fault, %02x while delivering %02x, CR2=%08x at @%08x",
                     v->exc.vector, exc.vector, v->cr2, v->seg[SEG_CS].base + v->eip);
        exc = (struct exception){.vector = VEC_DF, .has_error = true};
    }
    v->exc.pending = false;
    return false;
}
