/*
 * Fuzzing what reads the guest's tables: page tables, descriptor tables and task-state segments
 * with anything in them, and the instructions, transfers, events and memory accesses that walk
 * them. The CPU's and the MMU's C code does it all; nothing is translated.
 *
 * Input: a machine in protected mode with sane tables, then operations of a byte and their
 * operands: stores into the tables, and uses of them.
 *
 * Held against it: the sanitizers and host_panic(); pointers lead into guest RAM (which has guard
 * pages) or the bounce buffer; software TLB entries allow no write to frames with code; a fault
 * leaves the registers as they were; and what the vCPU keeps twice is the same.
 */
#include "tests/fuzz/core/input.h"
#include "tests/unit/unit.h"

#include "bt/bt.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/board_pc.h"
#include "vmm/callout.h"
#include "vmm/cpu.h"
#include "vmm/msr.h"
#include "vmm/segment.h"

enum {
    RAM_BYTES = 2 << 20,
    CACHE_BYTES = 1 << 20,
    OPERATIONS = 64,
    GDT = 0x1000,
    LDT = 0x2000,
    IDT = 0x3000,
    TSS_A = 0x4000,
    TSS_B = 0x4200,
    DIRECTORY = 0x10000,
    TABLE = 0x11000,
    TABLE_2 = 0x12000,
    STACK_0 = 0x20000,
    STACK_3 = 0x28000,
    CODE = 0x30000,
    USED = 0x40000,
};

static const struct {
    callout_fn fn;
    bool partial; /* may fault with part of its work done */
} callouts[] = {
    {callout_mov_to_sreg, false}, {callout_pop_sreg, false},    {callout_load_far_ptr, false},
    {callout_jmp_far, false},     {callout_call_far, false},    {callout_ret_far, false},
    {callout_iret, false},        {callout_int_n, false},       {callout_int3, false},
    {callout_into, false},        {callout_int1, false},        {callout_bound, false},
    {callout_sysenter, false},    {callout_sysexit, false},     {callout_lgdt, false},
    {callout_lidt, false},        {callout_sgdt, false},        {callout_sidt, false},
    {callout_lldt, false},        {callout_ltr, false},         {callout_sldt, false},
    {callout_str, false},         {callout_smsw, false},        {callout_lmsw, false},
    {callout_clts, false},        {callout_mov_from_cr, false}, {callout_mov_to_cr, false},
    {callout_mov_from_dr, false}, {callout_mov_to_dr, false},   {callout_invlpg, false},
    {callout_lar, false},         {callout_lsl, false},         {callout_verr, false},
    {callout_verw, false},        {callout_arpl, false},        {callout_rdmsr, false},
    {callout_wrmsr, false},       {callout_cpuid, false},       {callout_hlt, false},
    {callout_cli, false},         {callout_sti, false},         {callout_pushf, false},
    {callout_popf, false},        {callout_in, false},          {callout_out, false},
    {callout_ins, true},          {callout_outs, true},         {callout_movs, true},
    {callout_stos, true},         {callout_lods, true},         {callout_cmps, true},
    {callout_scas, true},         {callout_pusha, false},       {callout_popa, false},
    {callout_enter, false},       {callout_aam, false},         {callout_rdtsc, false},
};

static struct vm vm;
static struct vcpu *const v = &vm.vcpu;

/* -- the machine at the beginning -- */

static void put32(uint32_t at, uint32_t value) {
    memcpy(vm.mem.ram + at, &value, sizeof value);
}

static void put_descriptor(uint32_t at, uint32_t base, uint32_t limit, uint8_t access,
                           uint8_t flags) {
    put32(at, (limit & 0xffff) | base << 16);
    put32(at + 4, (base >> 16 & 0xff) | (uint32_t)access << 8 | (limit & 0xf0000) |
                      (uint32_t)flags << 20 | (base & 0xff000000));
}

static void put_gate(uint32_t at, uint16_t sel, uint32_t offset, uint8_t access, uint8_t params) {
    put32(at, (uint32_t)sel << 16 | (offset & 0xffff));
    put32(at + 4, (offset & 0xffff0000) | (uint32_t)access << 8 | params);
}

/* Selectors 8, 10h: ring 0; 1Bh, 23h: ring 3; 28h, 30h: TSSs; 38h: LDT; 43h, 4Bh: gates. */
static void put_tables(void) {
    memset(vm.mem.ram, 0, USED);
    put_descriptor(GDT + 0x08, 0, 0xfffff, 0x9a, 0xc);
    put_descriptor(GDT + 0x10, 0, 0xfffff, 0x92, 0xc);
    put_descriptor(GDT + 0x18, 0, 0xfffff, 0xfa, 0xc);
    put_descriptor(GDT + 0x20, 0, 0xfffff, 0xf2, 0xc);
    put_descriptor(GDT + 0x28, TSS_A, 0x1ff, 0x8b, 0);
    put_descriptor(GDT + 0x30, TSS_B, 0x1ff, 0x89, 0);
    put_descriptor(GDT + 0x38, LDT, 0xff, 0x82, 0);
    put_gate(GDT + 0x40, 0x08, CODE, 0xec, 1);
    put_gate(GDT + 0x48, 0x30, 0, 0xe5, 0);
    for (unsigned i = 0; i < 4; i++)
        put_descriptor(LDT + 8 * i, 0, 0xfffff, (uint8_t)(0xf2 + 8 * (i & 1)), 0xc);
    for (unsigned i = 0; i < 64; i++)
        put_gate(IDT + 8 * i, 0x08, CODE + 16 * i, i & 1 ? 0xee : 0x8f, 0);
    put_gate(IDT + 8 * 8, 0x30, 0, 0x85, 0);
    const uint32_t tss[] = {0,    STACK_3, 0x10, STACK_3, 0x10, STACK_3, 0x10, DIRECTORY, CODE,
                            2,    0,       0,    0,       0,    STACK_3, 0,    0,         0,
                            0x10, 0x08,    0x10, 0x10,    0x10, 0x10,    0x38, 0x680000};
    memcpy(vm.mem.ram + TSS_A, tss, sizeof tss);
    memcpy(vm.mem.ram + TSS_B, tss, sizeof tss);
    put32(DIRECTORY, TABLE | PTE_P | PTE_RW | PTE_US);
    put32(DIRECTORY + 4, TABLE_2 | PTE_P | PTE_RW | PTE_US);
    for (uint32_t i = 0; i < 512; i++)
        put32(TABLE + 4 * i, i << PAGE_SHIFT | PTE_P | PTE_RW | PTE_US);
}

static void load(unsigned sreg, uint16_t sel) {
    struct desc d;
    struct seg s;

    memcpy(&d, vm.mem.ram + GDT + (sel & ~7u), sizeof d);
    cpu_desc_unpack(sel, &d, &s);
    s.attr |= SEG_A;
    vcpu_set_seg(v, sreg, &s);
}

static void begin(uint8_t how) {
    bool user = how & 1;

    host_stub_reset();
    host_stub.window_budget = how & 2 ? 40 : 1000;
    put_tables();
    vm_reset(&vm);
    v->cr0 = CR0_PE | CR0_ET | CR0_WP | (how & 4 ? CR0_PG : 0);
    v->cr3 = DIRECTORY;
    v->cr4 = CR4_PSE | CR4_PGE;
    v->gdtr = (struct dtable){GDT, 0xff};
    v->idtr = (struct dtable){IDT, 0x1ff};
    v->ldtr = (struct seg){.sel = 0x38, .attr = SEG_P | SYS_LDT, .base = LDT, .limit = 0xff};
    v->tr =
        (struct seg){.sel = 0x28, .attr = SEG_P | SYS_TSS32_BUSY, .base = TSS_A, .limit = 0x1ff};
    v->cpl = user ? 3 : 0;
    load(SEG_CS, user ? 0x1b : 0x08);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (s != SEG_CS)
            load(s, user ? 0x23 : 0x10);
    vcpu_set_eflags(v, EFL_IF | EFL_ONE | (how & 8 ? EFL_IOPL : 0), ~0u);
    v->gpr[ESP] = (user ? STACK_3 : STACK_0) + 0x800;
    v->eip = CODE;
    v->next_eip = CODE + 2;
    vm_set_form(&vm, how & 16 ? VM_FORM_DIRECT : VM_FORM_AUTO);
}

/* -- what must hold at any time -- */

static void check_tlb(const struct soft_tlb *t) {
    uint64_t ram = (uintptr_t)vm.mem.ram;

    for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++) {
        uint32_t tag = t->rtag[i] & SOFT_TLB_INVALID ? t->wtag[i] : t->rtag[i];
        if (tag & SOFT_TLB_INVALID)
            continue;
        uint64_t gpa = t->addend[i] + tag - ram;
        if (gpa >= RAM_BYTES || gpa % PAGE_SIZE)
            BROKEN("TLB entry %u leads out of RAM", i);
        if (t->wtag[i] & SOFT_TLB_INVALID)
            continue;
        if (memmap_kind(&vm.mem, gpa) != MEM_RAM ||
            vm.mem.frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE)
            BROKEN("TLB entry %u allows a write to code or ROM", i);
    }
}

static void check(void) {
    check_tlb(&v->tlb[0]);
    check_tlb(&v->tlb[1]);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        if (v->seg_base[s] != v->seg[s].base)
            BROKEN("base of segment %u", s);
    for (unsigned s = SEG_FS; s <= SEG_GS; s++) {
        bool checked = segment_class(&v->seg[s], false) == SEGMENT_CHECKED;
        uint64_t own = (uint64_t)(uintptr_t)&v->seg_base[s];
        if (v->fs_gs_base[s - SEG_FS] != (checked ? v->seg_poison : own))
            BROKEN("segment %u taken for what it is not", s);
    }
    if (v->cpl > 3 || ((v->sysflags & EFL_VM) && v->cpl != 3) ||
        (!(v->cr0 & CR0_PE) && (v->cpl != 0 || v->sysflags & EFL_VM)))
        BROKEN("CPL %u, EFLAGS %x, CR0 %x", v->cpl, vcpu_eflags(v), v->cr0);
    if ((v->cr0 & (CR0_PG | CR0_PE)) == CR0_PG)
        BROKEN("paging without protection");
    if (v->ifl & ~EFL_IF || v->flags & ~(uint32_t)EFL_LIVE)
        BROKEN("flags in the wrong place");
}

/* What a fault must not have changed. */
static void check_untouched(const struct vcpu *before, unsigned k) {
    if (v->tr.sel != before->tr.sel || v->tr.base != before->tr.base)
        return; /* of the new task: the switch is not undone */
    if (memcmp(v->gpr, before->gpr, sizeof v->gpr) != 0)
        BROKEN("callout %u: a fault changed general registers", k);
    if (v->eip != before->eip || (vcpu_eflags(v) ^ vcpu_eflags(before)) & ~EFL_RF)
        BROKEN("callout %u: a fault changed EIP %x to %x or EFLAGS %x to %x", k, before->eip,
               v->eip, vcpu_eflags(before), vcpu_eflags(v));
    if (memcmp(v->seg, before->seg, sizeof v->seg) != 0 ||
        memcmp(&v->ldtr, &before->ldtr, sizeof v->ldtr) != 0 || v->cpl != before->cpl)
        BROKEN("callout %u: a fault changed segments", k);
    if (memcmp(&v->gdtr, &before->gdtr, sizeof v->gdtr) != 0 ||
        memcmp(&v->idtr, &before->idtr, sizeof v->idtr) != 0)
        BROKEN("callout %u: a fault changed the table registers", k);
    if (v->cr0 != before->cr0 || v->cr2 != before->cr2 || v->cr3 != before->cr3 ||
        v->cr4 != before->cr4 || v->efer != before->efer)
        BROKEN("callout %u: a fault changed control registers", k);
}

/* -- operations -- */

static uint32_t address_of(struct input *in) {
    static const uint32_t bases[] = {
        GDT, LDT,     IDT,     TSS_A, TSS_B,   DIRECTORY,         TABLE,    TABLE_2,
        0,   STACK_0, STACK_3, CODE,  0xa0000, RAM_BYTES - 0x100, 0x400000, 0xffffff80};
    uint8_t which = input_u8(in);

    if (which & 0x80)
        return input_u32(in);
    return bases[which & 15] + input_u8(in) * (which & 0x40 ? 4u : 1u) + (which & 0x20 ? 0xf80 : 0);
}

static void store(struct input *in) {
    uint32_t at = address_of(in), value = input_u32(in);

    if (at < USED - 4)
        put32(at, value);
}

static void store_descriptor(struct input *in) {
    uint8_t where = input_u8(in), access = input_u8(in), flags = input_u8(in);
    uint32_t table = where & 0x80 ? IDT : where & 0x40 ? LDT : GDT;
    uint32_t at = table + (where & 31u) * 8;

    if (flags & 0x80)
        put_gate(at, input_u16(in), address_of(in), access, flags & 31);
    else
        put_descriptor(at, address_of(in), flags & 0x40 ? 0xfffff : input_u16(in), access,
                       flags & 15);
}

static void store_entry(struct input *in) {
    uint8_t where = input_u8(in), index = input_u8(in);
    uint32_t bits = input_u16(in), frame = input_u16(in);

    put32((where & 1   ? TABLE
           : where & 2 ? TABLE_2
                       : DIRECTORY) +
              index * 4u,
          frame << PAGE_SHIFT | bits);
}

static void call(struct input *in) {
    uint8_t which = input_u8(in), a = input_u8(in), b = input_u8(in);
    unsigned k = which % (sizeof callouts / sizeof callouts[0]);
    struct vcpu before;
    uint64_t arg = (a & 7u) | (a >> 3 & 7u) << 4 | (uint64_t)(a >> 7) << 8 |
                   (uint64_t)((b & 7) % SEG_COUNT) << 9 | (b & 8 ? 2ull : 4ull) << 12 |
                   (b & 16 ? 2ull : 4ull) << 16 | (uint64_t)(b >> 6) % 3 << 20;

    if (b & 32 && !callouts[k].partial)
        arg |= (uint64_t)input_u8(in) << 32;
    else
        arg |= (uint64_t)address_of(in) << 32;
    v->val = input_u16(in);
    v->ea = address_of(in);
    if (callouts[k].partial)
        v->gpr[ECX] &= 0x3fff; /* no kick will come to end them */
    before = *v;
    enum callout_result result = callouts[k].fn(v, arg);
    if (v->exc.pending && result != CALLOUT_EXIT)
        BROKEN("callout %u: a fault and translated code goes on", k);
    if (v->exc.pending && !callouts[k].partial)
        check_untouched(&before, k);
}

static void event(struct input *in) {
    uint8_t vector = input_u8(in), how = input_u8(in);

    v->next_eip = v->eip;
    if (how & 1)
        vcpu_set_fault(v, vector & 31, how & 2, input_u16(in), 0);
    else
        cpu_deliver(v, vector, how & 2 ? EVENT_EXTERNAL : EVENT_EXCEPTION, how & 4, 0x1234);
}

static void check_operand(const uint8_t *p, uint32_t size) {
    const uint8_t *ram = vm.mem.ram, *bounce = v->bounce.buf;

    if (!(p >= ram && p + size <= ram + RAM_BYTES) &&
        !(p >= bounce && p + size <= bounce + sizeof v->bounce.buf))
        BROKEN("an operand outside RAM and the bounce buffer");
}

static void access(struct input *in) {
    uint8_t how = input_u8(in), size = input_u8(in);
    uint32_t gla = address_of(in);
    uint8_t buf[256];
    bool user = how & 1, write = how & 2;
    unsigned rights = (write ? MMU_W : MMU_R) | (user ? MMU_USER : 0);
    gpa_t gpa;
    void *p;

    memset(buf, how, sizeof buf);
    switch (how >> 2 & 7) {
    case 0:
        write ? mmu_write(v, gla, buf, size, user) : mmu_read(v, gla, buf, size, user);
        break;
    case 1:
        p = mmu_prepare(v, gla, size + 1u, rights | (how & 64 ? MMU_R : 0));
        if (!p)
            break;
        check_operand(p, size + 1u);
        if (write)
            memset(p, 0x55, size + 1u);
        mmu_commit(v);
        break;
    case 2:
        p = mmu_page_ptr(v, gla, rights);
        if (p)
            check_operand(p, PAGE_SIZE - (gla & ~PAGE_MASK));
        break;
    case 3:
        if (!mmu_view_direct(v, vcpu_user(v)))
            break;
        if (mmu_window_fault(v, gla, write, &gpa) == MMU_FAULT_RETRY)
            *(volatile uint8_t *)(uintptr_t)(v->window_base[vcpu_user(v)] + gla);
        break;
    case 4:
        mmu_invlpg(v, gla);
        break;
    case 5:
        v->cpl == 3 ? (void)mmu_view_tick(v) : mmu_prefill(v, gla);
        break;
    case 6:
        if (v->cpl == 3)
            mmu_enter_user(v);
        mmu_peek(v, gla, buf, size);
        break;
    default:
        if (gla < RAM_BYTES)
            mmu_protect_code(&vm, gla & PAGE_MASK, gla & PAGE_MASK);
        break;
    }
}

static void state(struct input *in) {
    uint8_t what = input_u8(in);
    uint32_t value = address_of(in);
    uint64_t wide = (uint64_t)input_u8(in) << 8 | (what >> 4);

    if (v->cpl != 0 && what % 7 >= 1 && what % 7 <= 4)
        return; /* privileged */
    switch (what % 7) {
    case 0:
        v->gpr[what >> 4 & 7] = value;
        break;
    case 1:
        cpu_write_cr0(v, v->cr0 ^ 1u << (value & 31));
        break;
    case 2:
        cpu_write_cr3(v, value);
        break;
    case 3:
        cpu_write_cr4(v, v->cr4 ^ 1u << (value & 15));
        break;
    case 4:
        msr_write(v, 0xc0000080, wide);
        break;
    case 5:
        vcpu_set_eflags(v, value, EFL_NT | EFL_IF | EFL_DF | EFL_AC | EFL_RF | EFL_TF);
        break;
    default:
        v->eip = value;
        v->next_eip = value + 2;
        break;
    }
}

/* The run loop's part between two instructions. */
static void settle(void) {
    /* delivery to a task whose T bit is set leaves #DB, perhaps for the same task */
    for (unsigned n = 0; n < 4 && v->exc.pending; n++)
        if (!cpu_deliver_pending(v)) {
            vm.stop = VM_STOP_TRIPLE_FAULT;
            break;
        }
    v->exc.pending = false;
    v->shadow = SHADOW_NONE;
    v->stepping = false;
    v->dr6_hits = 0;
    v->halted = false;
    v->code_written = false;
}

static void operate(struct input *in) {
    switch (input_u8(in) & 7) {
    case 0:
        store(in);
        break;
    case 1:
        store_descriptor(in);
        break;
    case 2:
        store_entry(in);
        break;
    case 3:
    case 4:
        call(in);
        break;
    case 5:
        event(in);
        break;
    case 6:
        access(in);
        break;
    default:
        state(in);
        break;
    }
    check();
    settle();
    check();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const struct board_config config = {.debugcon = -1};

    (void)argc;
    (void)argv;
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* for host_panic() */
    host_stub_reset();
    if (!vm_create(&vm, RAM_BYTES, CACHE_BYTES, &config))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};

    begin(input_u8(&in));
    for (unsigned n = OPERATIONS; n && in.left && vm.stop == VM_RUNNING; n--)
        operate(&in);
    memset(vm.mem.frame_flags, 0, RAM_BYTES >> PAGE_SHIFT);
    return 0;
}
