/*
 * Model-specific registers, one row each, and RDMSR/WRMSR.
 *
 * AMD APM vol. 2 appendix A, Intel SDM vol. 4; vol. 2B RDMSR, WRMSR. What has no row raises
 * #GP(0), as an MSR that CPUID does not announce must: no APIC, MTRRs, machine check, SYSCALL.
 */
#include "vmm/msr.h"

#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/tsc.h"

/* EFER: besides NXE only AutoIBRS, which has nothing to do here (see vmm/cpuid.c). */
#define EFER_AIBRSE   (1u << 21)
#define EFER_WRITABLE (EFER_NXE | EFER_AIBRSE)

struct msr_row {
    uint32_t index;
    uint64_t (*read)(const struct vcpu *v);
    bool (*write)(struct vcpu *v, uint64_t value); /* false: refused; NULL: read-only */
};

static uint64_t read_zero(const struct vcpu *v) {
    (void)v;
    return 0;
}

static bool write_zero(struct vcpu *v, uint64_t value) {
    (void)v;
    return value == 0;
}

/* -- time stamp (SDM vol. 3B section 17.17.3: a write to either moves both) -- */

static bool write_tsc(struct vcpu *v, uint64_t value) {
    uint64_t delta = value - tsc_read(v);

    v->tsc_offset += delta;
    v->tsc_adjust += delta;
    return true;
}

static uint64_t read_tsc_adjust(const struct vcpu *v) {
    return v->tsc_adjust;
}

static bool write_tsc_adjust(struct vcpu *v, uint64_t value) {
    v->tsc_offset += value - v->tsc_adjust;
    v->tsc_adjust = value;
    return true;
}

/* -- SYSENTER (SDM vol. 3A section 5.8.7) -- */

static uint64_t read_sysenter_cs(const struct vcpu *v) {
    return v->sysenter_cs;
}

static bool write_sysenter_cs(struct vcpu *v, uint64_t value) {
    v->sysenter_cs = (uint32_t)value;
    return true;
}

static uint64_t read_sysenter_esp(const struct vcpu *v) {
    return v->sysenter_esp;
}

static bool write_sysenter_esp(struct vcpu *v, uint64_t value) {
    v->sysenter_esp = (uint32_t)value;
    return true;
}

static uint64_t read_sysenter_eip(const struct vcpu *v) {
    return v->sysenter_eip;
}

static bool write_sysenter_eip(struct vcpu *v, uint64_t value) {
    v->sysenter_eip = (uint32_t)value;
    return true;
}

/* -- memory types: kept for the guest to read, the host decides (SDM vol. 3A section 11.12) -- */

static uint64_t read_pat(const struct vcpu *v) {
    return v->pat;
}

static bool write_pat(struct vcpu *v, uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
        unsigned type = (unsigned)(value >> shift) & 0xffu;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    v->pat = value;
    return true;
}

/* -- processor features -- */

static uint64_t read_efer(const struct vcpu *v) {
    return v->efer;
}

static bool write_efer(struct vcpu *v, uint64_t value) {
    uint64_t changed = value ^ v->efer;

    if (value & ~(uint64_t)EFER_WRITABLE)
        return false;
    v->efer = value;
    if (changed & EFER_NXE)
        mmu_mode_changed(v);
    return true;
}

/* Switches for errata and caches of real silicon: kept, without effect. */
static uint64_t read_hwcr(const struct vcpu *v) {
    return v->hwcr;
}

static bool write_hwcr(struct vcpu *v, uint64_t value) {
    if (value >> 32)
        return false;
    v->hwcr = value;
    return true;
}

static const struct msr_row rows[] = {
    {0x00000010, tsc_read, write_tsc},
    {0x0000003b, read_tsc_adjust, write_tsc_adjust},
    /* Microcode patch level. Linux reads it before it has an IDT. */
    {0x0000008b, read_zero, NULL},
    {0x00000174, read_sysenter_cs, write_sysenter_cs},
    {0x00000175, read_sysenter_esp, write_sysenter_esp},
    {0x00000176, read_sysenter_eip, write_sysenter_eip},
    /* DebugCtl: neither branch records nor branch stepping. */
    {0x000001d9, read_zero, write_zero},
    {0x00000277, read_pat, write_pat},
    {0xc0000080, read_efer, write_efer},
    {0xc0010015, read_hwcr, write_hwcr},
};

static const struct msr_row *find_row(uint32_t index) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].index == index)
            return &rows[i];
    }
    return NULL;
}

bool msr_read(struct vcpu *v, uint32_t index, uint64_t *value) {
    const struct msr_row *row = find_row(index);

    if (!row)
        return false;
    *value = row->read(v);
    return true;
}

bool msr_write(struct vcpu *v, uint32_t index, uint64_t value) {
    const struct msr_row *row = find_row(index);

    return row && row->write && row->write(v, value);
}

enum callout_result callout_rdmsr(struct vcpu *v, uint64_t arg) {
    uint64_t value;

    (void)arg;
    if (!callout_need_cpl0(v))
        return CALLOUT_EXIT;
    if (!msr_read(v, v->gpr[ECX], &value)) {
        if (LOG_ON(LOG_GUEST_ERRORS))
            host_log("guest_errors: rdmsr %08x: no such MSR, at @%08x", v->gpr[ECX],
                     v->seg[SEG_CS].base + v->eip);
        return callout_raise_error(v, VEC_GP, 0);
    }
    v->gpr[EAX] = (uint32_t)value;
    v->gpr[EDX] = (uint32_t)(value >> 32);
    return CALLOUT_NEXT;
}

enum callout_result callout_wrmsr(struct vcpu *v, uint64_t arg) {
    uint64_t value = (uint64_t)v->gpr[EDX] << 32 | v->gpr[EAX];
    uint64_t efer = v->efer;

    (void)arg;
    if (!callout_need_cpl0(v))
        return CALLOUT_EXIT;
    if (!msr_write(v, v->gpr[ECX], value)) {
        if (LOG_ON(LOG_GUEST_ERRORS))
            host_log("guest_errors: wrmsr %08x <- %08x:%08x refused, at @%08x", v->gpr[ECX],
                     v->gpr[EDX], v->gpr[EAX], v->seg[SEG_CS].base + v->eip);
        return callout_raise_error(v, VEC_GP, 0);
    }
    return v->efer == efer ? CALLOUT_NEXT : callout_leave(v);
}
