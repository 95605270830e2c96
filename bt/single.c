/*
 * One instruction at a time: single step, breakpoints, and the interrupt shadow.
 *
 * Intel SDM vol. 3B section 17.3.1: instruction breakpoints before the instruction, traps behind
 * it, RF; vol. 3A section 6.8.3: MOV SS and POP SS hold back both until the next instruction is
 * done.
 */
#include "bt/bt_priv.h"
#include "vmm/debug_trap.h"

bool single_begin(struct vcpu *v, bool resume) {
    /* a load of SS suppresses a breakpoint on the next instruction as RF does */
    if (debug_armed(v) && !resume && v->shadow != SHADOW_MOV_SS) {
        uint32_t hits = debug_code_hits(v, v->seg[SEG_CS].base + v->eip);

        if (hits) {
            debug_raise(v, hits);
            return false;
        }
    }
    v->stepping = v->sysflags & EFL_TF;
    v->not_run = false;
    return true;
}

void single_end(struct vcpu *v, bool resume, unsigned shadow_before) {
    if (v->exc.pending)
        return; /* the instruction is as if it had not begun */
    if (v->not_run) {
        v->sysflags |= resume ? EFL_RF : 0;
        v->stepping = false;
        return;
    }
    if (v->shadow == shadow_before)
        v->shadow = SHADOW_NONE;
    if (v->shadow == SHADOW_MOV_SS)
        v->stepping = false; /* breakpoints it met stay due behind the next instruction */
    else
        debug_raise_due(v);
}
