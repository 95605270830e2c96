/*
 * Control registers: CR0, CR3, CR4 and the instructions that move them; INVLPG, INVD, WBINVD.
 *
 * Intel SDM vol. 3A section 2.5 (bits), 4.1 (paging modes), 4.4.1 (PDPTEs), vol. 2A/2B CLTS, LMSW,
 * MOV CR, SMSW, INVLPG.
 *
 * Invariants: CR0.PG implies CR0.PE; CR0.ET reads one; with PAE paging v->pdpte holds what CR3
 * pointed at when it was loaded.
 */
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR0_PAGING (CR0_PE | CR0_WP | CR0_PG)
#define CR0_PDPTE  (CR0_CD | CR0_NW | CR0_PG) /* a change reloads the PDPTEs */
#define CR0_MSW    (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

/* Only what CPUID offers: no VME, PVI, MCE and nothing newer than SSE. PCE comes without a
 * performance counter behind it: RDPMC knows no index. */
#define CR4_DEFINED                                                                                \
    (CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE)

/* -- registers -- */

static bool pae_paging(uint32_t cr0, uint32_t cr4) {
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE);
}

bool cpu_write_cr0(struct vcpu *v, uint32_t value) {
    uint32_t cr0 = (value & CR0_DEFINED) | CR0_ET;
    uint32_t changed = cr0 ^ v->cr0;

    if (!changed)
        return true;
    if ((cr0 & (CR0_PG | CR0_PE)) == CR0_PG || (cr0 & (CR0_NW | CR0_CD)) == CR0_NW)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (pae_paging(cr0, v->cr4) && (changed & CR0_PDPTE) && !mmu_load_pdpte(v, v->cr3))
        return false;
    v->cr0 = cr0;
    if (changed & CR0_PAGING)
        mmu_mode_changed(v);
    return true;
}

bool cpu_write_cr3(struct vcpu *v, uint32_t value) {
    if (pae_paging(v->cr0, v->cr4) && !mmu_load_pdpte(v, value))
        return false;
    v->cr3 = value;
    if (v->cr0 & CR0_PG)
        mmu_cr3_loaded(v);
    return true;
}

bool cpu_write_cr4(struct vcpu *v, uint32_t value) {
    uint32_t changed = value ^ v->cr4;

    if (value & ~CR4_DEFINED)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (pae_paging(v->cr0, value) && (changed & CR4_PAGING) && !mmu_load_pdpte(v, v->cr3))
        return false;
    v->cr4 = value;
    if (changed & CR4_PAGING)
        mmu_mode_changed(v);
    return true;
}

/* -- instructions -- */

static enum callout_result write_cr0(struct vcpu *v, uint32_t value) {
    uint32_t old = v->cr0;

    if (!cpu_write_cr0(v, value))
        return CALLOUT_EXIT;
    return v->cr0 == old ? CALLOUT_NEXT : callout_leave(v);
}

static enum callout_result write_cr2(struct vcpu *v, uint32_t value) {
    v->cr2 = value;
    return CALLOUT_NEXT;
}

static enum callout_result write_cr3(struct vcpu *v, uint32_t value) {
    return cpu_write_cr3(v, value) ? callout_leave(v) : CALLOUT_EXIT;
}

static enum callout_result write_cr4(struct vcpu *v, uint32_t value) {
    uint32_t old = v->cr4;

    if (!cpu_write_cr4(v, value))
        return CALLOUT_EXIT;
    return v->cr4 == old ? CALLOUT_NEXT : callout_leave(v);
}

struct control_register {
    enum callout_result (*write)(struct vcpu *v, uint32_t value);
    size_t offset; /* of its value in struct vcpu */
};

static const struct control_register registers[] = {
    [0] = {write_cr0, offsetof(struct vcpu, cr0)},
    [2] = {write_cr2, offsetof(struct vcpu, cr2)},
    [3] = {write_cr3, offsetof(struct vcpu, cr3)},
    [4] = {write_cr4, offsetof(struct vcpu, cr4)},
};

/* NULL with #UD or #GP(0) pending: no such register (CR8 is one of 64-bit mode), or CPL not 0. */
static const struct control_register *find_register(struct vcpu *v, unsigned number) {
    if (number >= sizeof registers / sizeof registers[0] || !registers[number].write) {
        vcpu_raise(v, VEC_UD);
        return NULL;
    }
    return callout_need_cpl0(v) ? &registers[number] : NULL;
}

enum callout_result callout_mov_to_cr(struct vcpu *v, uint64_t arg) {
    const struct control_register *r = find_register(v, CO_REG(arg));

    return r ? r->write(v, v->gpr[CO_RM(arg)]) : CALLOUT_EXIT;
}

enum callout_result callout_mov_from_cr(struct vcpu *v, uint64_t arg) {
    const struct control_register *r = find_register(v, CO_REG(arg));

    if (!r)
        return CALLOUT_EXIT;
    v->gpr[CO_RM(arg)] = *(const uint32_t *)(const void *)((const char *)v + r->offset);
    return CALLOUT_NEXT;
}

enum callout_result callout_clts(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!callout_need_cpl0(v))
        return CALLOUT_EXIT;
    return write_cr0(v, v->cr0 & ~CR0_TS);
}

/* Loads the low four bits of CR0; PE can be set but not cleared. */
enum callout_result callout_lmsw(struct vcpu *v, uint64_t arg) {
    uint16_t msw;

    if (!callout_need_cpl0(v) || !callout_read_rm16(v, arg, &msw))
        return CALLOUT_EXIT;
    return write_cr0(v, (v->cr0 & ~(CR0_MSW & ~CR0_PE)) | (msw & CR0_MSW));
}

/* To memory always 16 bits; a 32-bit register gets all of CR0. Not privileged. */
enum callout_result callout_smsw(struct vcpu *v, uint64_t arg) {
    if (!CO_IS_MEM(arg)) {
        callout_set_reg(v, CO_RM(arg), v->cr0, CO_OPSIZE(arg));
        return CALLOUT_NEXT;
    }
    return cpu_write(v, CO_SEG(arg), v->ea, &v->cr0, 2) ? callout_wrote(v) : CALLOUT_EXIT;
}

/* Takes any address: neither limit nor page checks. */
enum callout_result callout_invlpg(struct vcpu *v, uint64_t arg) {
    gla_t gla = v->seg_base[CO_SEG(arg)] + v->ea;
    gla_t next = v->seg_base[SEG_CS] + v->next_eip;

    if (!callout_need_cpl0(v))
        return CALLOUT_EXIT;
    mmu_invlpg(v, gla);
    return (gla ^ next) & PAGE_MASK ? CALLOUT_NEXT : callout_leave(v);
}

/* INVD, WBINVD: guest memory is coherent, there is nothing to write back. */
enum callout_result callout_cache_op(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return callout_need_cpl0(v) ? CALLOUT_NEXT : CALLOUT_EXIT;
}
