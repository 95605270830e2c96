/*
 * What a translation depends on beside the code bytes: a block may run only while the vCPU's key
 * equals the block's. All of it changes only in callouts that leave translated code.
 */
#ifndef BT_KEY_H
#define BT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/vcpu.h"

#define KEY_CPL     3u               /* bits 1:0 */
#define KEY_CODE32  SEG_FACT_CODE32  /* bit 2: CS.D */
#define KEY_STACK32 SEG_FACT_STACK32 /* bit 3: SS.B */
/* ES, CS, SS and DS only, bits 4 to 7: base 0, 4 GiB, readable (and writable, but CS) */
#define KEY_FLAT(seg) SEG_FACT_FLAT(seg)
/* bits 10 to 13: 4 GiB, any base; limit and type need no check */
#define KEY_WIDE(seg) SEG_FACT_WIDE(seg)
#define KEY_DIRECT    (1u << 16) /* memory operands go through the view's window */
#define KEY_SINGLE    (1u << 17) /* one instruction only: TF, interrupt shadow, breakpoints */
#define KEY_FPU_NM    (1u << 18) /* x87/MMX: CR0.EM or TS */
#define KEY_SSE_UD    (1u << 19) /* SSE: CR0.EM, or CR4.OSFXSR clear */
#define KEY_SSE_NM    (1u << 20) /* SSE: CR0.TS */
#define KEY_WAIT_NM   (1u << 21) /* WAIT: CR0.MP and TS */
#define KEY_MMX_UD    (1u << 22) /* MMX: CR0.EM */
#define KEY_REAL      (1u << 23) /* real mode or virtual-8086: selectors are paragraphs */
#define KEY_GLOBAL    (1u << 24) /* the code page's mapping is the same for every CR3 */
#define KEY_ALIGN     (1u << 25) /* CPL 3, CR0.AM, EFLAGS.AC: operands are checked for alignment */
#define KEY_WATCH     (1u << 26) /* data breakpoints: the VMM sees every operand (with SINGLE only) */
#define KEY_FERR      (1u << 27) /* FERR# is asserted: the VMM sees every x87 instruction */

/* Around each run of such a block the run loop has something to do. */
#define KEY_RUN_LOOP (KEY_SINGLE | KEY_FERR)

static inline bool key_user(uint32_t key) {
    return (key & KEY_CPL) == 3;
}

/* The rest of key_of(): what most systems have none of most of the time. */
uint32_t key_of_rare(const struct vcpu *v, bool single);

/* The key for the vCPU's present state, without KEY_GLOBAL (which the page walk adds). SDM vol. 3A
 * sections 2.5 (control registers) and 5.3 (limit checking). */
static inline uint32_t key_of(const struct vcpu *v, bool single) {
    uint32_t rare = (v->sysflags & (EFL_AC | EFL_TF | EFL_VM)) | v->shadow | v->watching | v->ferr |
                    (v->cr0 & (CR0_EM | CR0_TS)) | (~v->cr0 & CR0_PE) | single;
    uint32_t key = v->cpl | v->seg_facts;

    if (mmu_view_direct(v, vcpu_user(v)))
        key |= KEY_DIRECT;
    if (!(v->cr4 & CR4_OSFXSR))
        key |= KEY_SSE_UD;
    if (rare || debug_armed(v))
        key |= key_of_rare(v, single);
    return v->watching ? key & ~KEY_DIRECT : key;
}

#endif
