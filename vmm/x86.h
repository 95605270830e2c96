/*
 * Names of the 32-bit x86 architecture: register numbers, control-register bits, vectors.
 * Intel SDM vol. 3A chapters 2 (system registers), 3 (descriptors) and 6 (vectors).
 */
#ifndef VMM_X86_H
#define VMM_X86_H

#include <stdint.h>

typedef uint32_t gva_t; /* offset in a guest segment */
typedef uint32_t gla_t; /* guest linear address */
typedef uint64_t gpa_t; /* guest physical address */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  0xfffff000u

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* EFLAGS, SDM vol. 1 section 3.4.3 */
#define EFL_CF    (1u << 0)
#define EFL_ONE   (1u << 1)
#define EFL_PF    (1u << 2)
#define EFL_AF    (1u << 4)
#define EFL_ZF    (1u << 6)
#define EFL_SF    (1u << 7)
#define EFL_TF    (1u << 8)
#define EFL_IF    (1u << 9)
#define EFL_DF    (1u << 10)
#define EFL_OF    (1u << 11)
#define EFL_IOPL  (3u << 12)
#define EFL_NT    (1u << 14)
#define EFL_RF    (1u << 16)
#define EFL_VM    (1u << 17)
#define EFL_AC    (1u << 18)
#define EFL_ID    (1u << 21)
#define EFL_ARITH (EFL_CF | EFL_PF | EFL_AF | EFL_ZF | EFL_SF | EFL_OF)
/* what the host's flags register holds for the guest while translated code runs */
#define EFL_LIVE (EFL_ARITH | EFL_DF)
/* what struct vcpu's sysflags holds (IF stands apart, see vcpu.h); VIF and VIP belong to VME, which
 * is not offered, and read zero */
#define EFL_SYS (EFL_TF | EFL_IOPL | EFL_NT | EFL_RF | EFL_VM | EFL_AC | EFL_ID)

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

#define CR3_PWT (1u << 3)
#define CR3_PCD (1u << 4)

#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)

#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)

/* exception vectors, SDM vol. 3A table 6-1 */
enum {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19
};

/* page-fault error code, SDM vol. 3A section 4.7 */
#define PFERR_P    (1u << 0)
#define PFERR_W    (1u << 1)
#define PFERR_U    (1u << 2)
#define PFERR_RSVD (1u << 3)
#define PFERR_I    (1u << 4)

/*
 * Segment attributes as struct seg keeps them: bits 8..23 of a descriptor's second doubleword,
 * shifted down by 8 (SDM vol. 3A figure 3-8); the four limit bits in between read zero.
 */
#define SEG_A         (1u << 0) /* accessed (code, data) */
#define SEG_W         (1u << 1) /* writable (data) / readable (code) */
#define SEG_E         (1u << 2) /* expand-down (data) / conforming (code) */
#define SEG_CODE      (1u << 3) /* code rather than data */
#define SEG_S         (1u << 4) /* code or data rather than system */
#define SEG_TYPE      0xfu
#define SEG_DPL_SHIFT 5
#define SEG_DPL       (3u << SEG_DPL_SHIFT)
#define SEG_P         (1u << 7)
#define SEG_AVL       (1u << 12)
#define SEG_L         (1u << 13)
#define SEG_DB        (1u << 14)
#define SEG_G         (1u << 15)

#endif
