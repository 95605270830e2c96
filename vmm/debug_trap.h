/*
 * Breakpoints: what DR0-DR3 and DR7 ask for, and the #DB that comes of it.
 *
 * Intel SDM vol. 3B sections 17.2 (debug registers), 17.3.1 (#DB, its conditions and RF).
 *
 * Instruction breakpoints are faults, looked for before an instruction. All others, and the single
 * step, are traps: an instruction collects them in v->dr6_hits and v->stepping while it works, and
 * the run loop raises one #DB for them behind it, so that one DR6 tells of all. Only what the
 * instruction itself reads and writes counts: not descriptor tables, task state and page tables,
 * nor the frame of an event.
 */
#ifndef VMM_DEBUG_TRAP_H
#define VMM_DEBUG_TRAP_H

#include "vmm/vcpu.h"

#define DR6_BD      (1u << 13) /* MOV DR under DR7.GD */
#define DR6_BS      (1u << 14) /* single step */
#define DR6_BT      (1u << 15) /* T bit of a task's TSS */
#define DR7_ENABLES 0xffu
#define DR7_GD      (1u << 13)

/* Any breakpoint enabled: instructions must run one at a time. */
static inline bool debug_armed(const struct vcpu *v) {
    return (v->dr[7] & DR7_ENABLES) != 0;
}

/* To be called when DR7 has changed: keeps v->watching. */
void debug_dr7_changed(struct vcpu *v);

/* DR6 bits of the instruction breakpoints at linear address gla; 0 none. */
uint32_t debug_code_hits(const struct vcpu *v, gla_t gla);

/* The part of debug_note_access for when v->watching is set. */
void debug_note_watched(struct vcpu *v, gla_t gla, uint32_t n, bool write);

/* The instruction at work has accessed [gla, gla + n). */
static inline void debug_note_access(struct vcpu *v, gla_t gla, uint32_t n, bool write) {
    if (v->watching)
        debug_note_watched(v, gla, n, write);
}

/* The instruction at work has accessed I/O ports [port, port + n). */
void debug_note_io(struct vcpu *v, uint16_t port, uint32_t n);

/* Makes #DB pending, with these bits added to DR6. */
void debug_raise(struct vcpu *v, uint32_t dr6_bits);

/* A switch to a task with the T bit is done: one #DB before its first instruction, which tells also
 * of what the switching instruction has met. steps: the single step is due behind that instruction
 * (not behind INT n). */
void debug_raise_switched(struct vcpu *v, bool steps);

/* An instruction, or an iteration of a repeated one, is done: raises the trap that it left due. */
void debug_raise_due(struct vcpu *v);

#endif
