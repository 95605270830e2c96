/*
 * A processor on a workbench: struct vcpu over 1 MiB of flat linear memory with descriptor tables,
 * for the tests of vmm/'s segment and event code. Implements what those use of mmu/mmu.h, with
 * pages that can be made absent or read-only.
 *
 * Included by one .c per test program.
 */
#ifndef TESTS_UNIT_CPU_BENCH_H
#define TESTS_UNIT_CPU_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/mmu.h"
#include "vmm/callout.h"
#include "vmm/cpu.h"

enum { BENCH_BYTES = 1 << 20, BENCH_PAGES = BENCH_BYTES / 4096 };
enum {
    PAGE_OK,
    PAGE_ABSENT,
    PAGE_READ_ONLY,
    PAGE_SUPERVISOR,
    PAGE_CODE,  /* holds translated code until written */
    PAGE_DEVICE /* no host pointer */
};

static struct vcpu cpu;
static uint8_t memory[BENCH_BYTES];
static uint8_t page_state[BENCH_PAGES];
static struct { unsigned cr3_loads, writes; } mmu_seen;

/* -- the MMU -- */

bool mmu_probe(struct vcpu *v, gla_t gla, uint32_t n, unsigned access) {
    for (uint32_t i = 0; i < n; i++) {
        gla_t at = gla + i;
        uint32_t error = (access & MMU_W ? PFERR_W : 0) | (access & MMU_USER ? PFERR_U : 0);
        uint8_t state = at < BENCH_BYTES ? page_state[at >> 12] : PAGE_ABSENT;

        if (state == PAGE_ABSENT)
            return vcpu_raise_pf(v, at, error);
        if ((state == PAGE_READ_ONLY && (access & MMU_W)) ||
            (state == PAGE_SUPERVISOR && (access & MMU_USER)))
            return vcpu_raise_pf(v, at, error | PFERR_P);
    }
    return true;
}

bool mmu_read(struct vcpu *v, gla_t gla, void *buf, uint32_t n, bool user) {
    if (!mmu_probe(v, gla, n, MMU_R | (user ? MMU_USER : 0)))
        return false;
    memcpy(buf, memory + gla, n);
    return true;
}

bool mmu_write(struct vcpu *v, gla_t gla, const void *buf, uint32_t n, bool user) {
    if (!mmu_probe(v, gla, n, MMU_W | (user ? MMU_USER : 0)))
        return false;
    memcpy(memory + gla, buf, n);
    mmu_seen.writes++;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *state = &page_state[(gla + i) >> 12];

        if (*state == PAGE_CODE) {
            *state = PAGE_OK;
            v->code_written = true;
        }
    }
    return true;
}

bool mmu_read8(struct vcpu *v, gla_t gla, uint8_t *out, bool user) {
    return mmu_read(v, gla, out, 1, user);
}

bool mmu_read16(struct vcpu *v, gla_t gla, uint16_t *out, bool user) {
    return mmu_read(v, gla, out, 2, user);
}

bool mmu_read32(struct vcpu *v, gla_t gla, uint32_t *out, bool user) {
    return mmu_read(v, gla, out, 4, user);
}

bool mmu_write8(struct vcpu *v, gla_t gla, uint8_t value, bool user) {
    return mmu_write(v, gla, &value, 1, user);
}

bool mmu_write16(struct vcpu *v, gla_t gla, uint16_t value, bool user) {
    return mmu_write(v, gla, &value, 2, user);
}

bool mmu_write32(struct vcpu *v, gla_t gla, uint32_t value, bool user) {
    return mmu_write(v, gla, &value, 4, user);
}

void mmu_cr3_loaded(struct vcpu *v) {
    (void)v;
    mmu_seen.cr3_loads++;
}

bool mmu_load_pdpte(struct vcpu *v, uint32_t cr3) {
    return cr3 & 0x18 ? vcpu_raise_error(v, VEC_GP, 0) : true;
}

/* -- tables -- */

enum { GDT = 0x1000, IDT = 0x2000, LDT = 0x2800 };
enum { TSS_A = 0x3000, TSS_B = 0x3200, TSS_16 = 0x3400 };
enum { STACK_0 = 0x9000, STACK_1 = 0xa000, STACK_3 = 0xc000, HANDLER = 0x5000 };

/* Selectors of the GDT below. */
enum {
    CODE_0 = 0x08,
    DATA_0 = 0x10,
    CODE_3 = 0x1b,
    DATA_3 = 0x23,
    TSS_A_SEL = 0x28,
    CONFORMING_0 = 0x30,
    CODE16_0 = 0x38,
    ABSENT_0 = 0x40,
    READ_ONLY_0 = 0x48,
    EXPAND_DOWN_0 = 0x50,
    LDT_SEL = 0x58,
    TSS_16_SEL = 0x60,
    TSS_B_SEL = 0x68,
    CALL_GATE32 = 0x73,
    CALL_GATE16 = 0x7b,
    TASK_GATE = 0x83,
    EXEC_ONLY_0 = 0x88,
    DATA_1 = 0x91,
    DATA16_3 = 0x9b,
    CODE_1 = 0xa1,
    DATA16_0 = 0xa8,
    SMALL_CODE_3 = 0xb3, /* limit 0fffh */
    SPARE = 0xb8,        /* all zero */
    GDT_LIMIT = 0xbf
};

static inline uint32_t peek32(uint32_t at) {
    uint32_t x;
    memcpy(&x, memory + at, 4);
    return x;
}

static inline uint16_t peek16(uint32_t at) {
    uint16_t x;
    memcpy(&x, memory + at, 2);
    return x;
}

static inline void poke32(uint32_t at, uint32_t x) {
    memcpy(memory + at, &x, 4);
}

static inline void poke16(uint32_t at, uint16_t x) {
    memcpy(memory + at, &x, 2);
}

/* access: P, DPL, S, type; flags: G, D/B, AVL in the upper nibble's place (0..15). */
static inline void put_desc(uint16_t sel, uint32_t base, uint32_t limit, uint8_t access,
                            uint8_t flags) {
    uint32_t at = (sel & 4u ? LDT : GDT) + (sel & ~7u);

    poke32(at, (limit & 0xffff) | base << 16);
    poke32(at + 4, (base >> 16 & 0xff) | (uint32_t)access << 8 | (limit & 0xf0000) |
                       (uint32_t)flags << 20 | (base & 0xff000000));
}

static inline void put_gate(uint32_t at, uint16_t sel, uint32_t offset, uint8_t access,
                            uint8_t params) {
    poke32(at, (uint32_t)sel << 16 | (offset & 0xffff));
    poke32(at + 4, (offset & 0xffff0000) | (uint32_t)access << 8 | params);
}

static inline void put_idt(unsigned vector, uint16_t sel, uint32_t offset, uint8_t access) {
    put_gate(IDT + vector * 8, sel, offset, access, 0);
}

static inline uint8_t desc_access(uint16_t sel) {
    return memory[(sel & 4u ? LDT : GDT) + (sel & ~7u) + 5];
}

/* Loads a segment register from the tables without any check. */
static inline void force_seg(unsigned sreg, uint16_t sel) {
    uint32_t at = (sel & 4u ? LDT : GDT) + (sel & ~7u);
    struct desc d = {peek32(at), peek32(at + 4)};
    struct seg s;

    cpu_desc_unpack(sel, &d, &s);
    s.attr |= s.attr & SEG_S ? SEG_A : 0;
    vcpu_set_seg(&cpu, sreg, &s);
}

static inline void enter_ring(unsigned cpl) {
    static const uint16_t code[] = {CODE_0, CODE_1, 0, CODE_3};
    static const uint16_t data[] = {DATA_0, DATA_1, 0, DATA_3};
    static const uint32_t stack[] = {STACK_0, STACK_1, 0, STACK_3};

    cpu.cpl = (uint8_t)cpl;
    force_seg(SEG_CS, code[cpl]);
    force_seg(SEG_SS, data[cpl]);
    force_seg(SEG_DS, data[cpl]);
    force_seg(SEG_ES, data[cpl]);
    force_seg(SEG_FS, data[cpl]);
    force_seg(SEG_GS, data[cpl]);
    cpu.gpr[ESP] = stack[cpl] - 0x100;
    cpu.eip = 0x4000;
    cpu.next_eip = 0x4002;
}

static inline void enter_v86(uint32_t iopl) {
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct seg s = {
            .sel = (uint16_t)(0x1000 + i), .attr = 0xf3, .base = 0x10000 + i * 16, .limit = 0xffff};

        vcpu_set_seg(&cpu, i, &s);
    }
    cpu.cpl = 3;
    vcpu_set_eflags(&cpu, EFL_VM | iopl << 12 | EFL_IF, ~0u);
    cpu.gpr[ESP] = 0x1000;
    cpu.eip = 0x100;
    cpu.next_eip = 0x102;
}

/* Flat protected mode at CPL 0, all tables in place. */
static inline int bench_reset(void **state) {
    (void)state;
    memset(memory, 0, sizeof memory);
    memset(page_state, PAGE_OK, sizeof page_state);
    memset(&mmu_seen, 0, sizeof mmu_seen);
    memset(&cpu, 0, sizeof cpu);
    vcpu_reset(&cpu);

    put_desc(CODE_0, 0, 0xfffff, 0x9a, 0xc);
    put_desc(DATA_0, 0, 0xfffff, 0x92, 0xc);
    put_desc(CODE_3, 0, 0xfffff, 0xfa, 0xc);
    put_desc(DATA_3, 0, 0xfffff, 0xf2, 0xc);
    put_desc(TSS_A_SEL, TSS_A, 0x67, 0x8b, 0);
    put_desc(CONFORMING_0, 0, 0xfffff, 0x9e, 0xc);
    put_desc(CODE16_0, 0, 0xffff, 0x9a, 0);
    put_desc(ABSENT_0, 0, 0xfffff, 0x12, 0xc);
    put_desc(READ_ONLY_0, 0, 0xfffff, 0x90, 0xc);
    put_desc(EXPAND_DOWN_0, 0, 0xfff, 0x96, 4);
    put_desc(LDT_SEL, LDT, 0x17, 0x82, 0);
    put_desc(TSS_16_SEL, TSS_16, 0x2b, 0x81, 0);
    put_desc(TSS_B_SEL, TSS_B, 0x67, 0x89, 0);
    put_gate(GDT + (CALL_GATE32 & ~7), CODE_0, HANDLER, 0xec, 2);
    put_gate(GDT + (CALL_GATE16 & ~7), CODE_0, HANDLER, 0xe4, 1);
    put_gate(GDT + (TASK_GATE & ~7), TSS_B_SEL, 0, 0xe5, 0);
    put_desc(EXEC_ONLY_0, 0, 0xfffff, 0x98, 0xc);
    put_desc(DATA_1, 0, 0xfffff, 0xb2, 0xc);
    put_desc(DATA16_3, 0, 0xffff, 0xf2, 0);
    put_desc(CODE_1, 0, 0xfffff, 0xba, 0xc);
    put_desc(DATA16_0, 0, 0xffff, 0x92, 0);
    put_desc(SMALL_CODE_3, 0, 0xfff, 0xfa, 4);

    poke32(TSS_A + 4, STACK_0);
    poke32(TSS_A + 8, DATA_0);
    poke32(TSS_A + 12, STACK_1);
    poke32(TSS_A + 16, DATA_1);

    cpu.gdtr = (struct dtable){GDT, GDT_LIMIT};
    cpu.idtr = (struct dtable){IDT, 0x7ff};
    cpu.tr = (struct seg){.sel = TSS_A_SEL, .attr = 0x8b, .base = TSS_A, .limit = 0x67};
    cpu.ldtr = (struct seg){0};
    cpu.cr0 = CR0_PE | CR0_ET;
    enter_ring(0);
    return 0;
}

/* -- assertions -- */

/* The fault that `cpu.exc` must hold. error < 0: none. */
static inline void assert_fault(unsigned vector, int64_t error) {
    assert_true(cpu.exc.pending);
    assert_int_equal(cpu.exc.vector, vector);
    assert_int_equal(cpu.exc.has_error, error >= 0);
    if (error >= 0)
        assert_int_equal(cpu.exc.error, error);
}

/* Runs `call`; it must raise the fault and leave every register as it was. */
#define EXPECT_FAULT(call, vector, error)                                                          \
    do {                                                                                           \
        static struct vcpu before_;                                                                \
        before_ = cpu;                                                                             \
        (void)(call);                                                                              \
        assert_fault(vector, error);                                                               \
        before_.exc = cpu.exc;                                                                     \
        before_.val = cpu.val; /* an operand `call` may have passed */                             \
        assert_memory_equal(&before_, &cpu, sizeof cpu);                                           \
        cpu.exc.pending = false;                                                                   \
    } while (0)

static inline void assert_at(uint16_t cs, uint32_t eip) {
    assert_false(cpu.exc.pending);
    assert_int_equal(cpu.seg[SEG_CS].sel, cs);
    assert_int_equal(cpu.eip, eip);
    assert_int_equal(cpu.cpl, cpu.sysflags & EFL_VM ? 3 : cs & 3);
}

static inline void assert_stack(uint16_t ss, uint32_t esp) {
    assert_int_equal(cpu.seg[SEG_SS].sel, ss);
    assert_int_equal(cpu.gpr[ESP], esp);
}

#endif
