/*
 * Architectural operations on the vCPU that more than one instruction or event needs.
 * All return false with a fault pending (v->exc) and guest state untouched, else true.
 */
#ifndef VMM_CPU_H
#define VMM_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vcpu.h"

/* -- memory through a segment (vmm/segment.c): limit, type and page checks of an explicit access --
 */
bool cpu_read(struct vcpu *v, unsigned sreg, gva_t off, void *buf, uint32_t n);
bool cpu_write(struct vcpu *v, unsigned sreg, gva_t off, const void *buf, uint32_t n);
/* The segment part alone: checks [off, off+n) and gives the linear address. #SS(0) or #GP(0);
 * #AC(0) where alignment is checked. */
bool cpu_linear(struct vcpu *v, unsigned sreg, gva_t off, uint32_t n, bool write, gla_t *gla);
/* The same for operands made of several parts of `part` bytes (a power of two), each of which is to
 * be aligned: pairs, pointers, frames. */
bool cpu_read_parts(struct vcpu *v, unsigned sreg, gva_t off, void *buf, uint32_t n, unsigned part);
bool cpu_linear_parts(struct vcpu *v, unsigned sreg, gva_t off, uint32_t n, unsigned part,
                      bool write, gla_t *gla);
/* Misaligned accesses raise #AC now (SDM vol. 3A section 6.15, interrupt 17). */
bool cpu_checks_alignment(const struct vcpu *v);

/* -- stack (vmm/stack.c): honours SS.B; ESP changes only when all is done -- */
/* size: 2 or 4 bytes. #SS(0), #AC(0) or #PF. */
bool cpu_push(struct vcpu *v, uint32_t value, unsigned size);
bool cpu_pop(struct vcpu *v, uint32_t *value, unsigned size);

/* -- segments (vmm/segment.c): SDM vol. 3A sections 3.4.5, 5.4-5.8 -- */
/* A descriptor as read from the GDT or LDT. */
struct desc {
    uint32_t lo, hi;
};
/* False: selector beyond its table: raises `vector`(sel & ~3 | ext). */
bool cpu_desc_read(struct vcpu *v, uint16_t sel, struct desc *d, unsigned vector, unsigned ext);
/* The hidden part that it makes, limit in bytes (SDM vol. 3A section 3.4.5). Checks nothing. */
void cpu_desc_unpack(uint16_t sel, const struct desc *d, struct seg *out);
/* MOV/POP/LxS of ES, SS, DS, FS, GS with the manual's checks. */
bool cpu_load_seg(struct vcpu *v, unsigned sreg, uint16_t sel);

/* -- events (vmm/interrupt.c): SDM vol. 3A chapter 6 -- */
enum event_kind { EVENT_EXCEPTION, EVENT_SOFTWARE /* INT n, INT3, INTO */, EVENT_EXTERNAL };
/* Delivers through the IDT: v->eip must be the EIP to push. False: a fault came up during delivery
 * and is pending. */
bool cpu_deliver(struct vcpu *v, unsigned vector, enum event_kind kind, bool has_error,
                 uint32_t error);
/* Delivers v->exc, turning faults during delivery into #DF or shutdown (SDM table 6-5).
 * False: triple fault, the VM must reset. */
bool cpu_deliver_pending(struct vcpu *v);

/* -- control state (vmm/control.c) -- */
/* MOV to CRn at CPL 0: #GP(0) for a value that the register cannot hold; the MMU is told. */
bool cpu_write_cr0(struct vcpu *v, uint32_t value);
bool cpu_write_cr3(struct vcpu *v, uint32_t value);
bool cpu_write_cr4(struct vcpu *v, uint32_t value);
/* INTR asserted and accepted now? (IF, shadow) */
static inline bool cpu_can_interrupt(const struct vcpu *v) {
    return v->intr_line && v->ifl != 0 && v->shadow == SHADOW_NONE;
}

#endif
