/*
 * Fuzzing the translator's front end: any bytes as guest code, in any mode the vCPU can be in, are
 * decoded and translated, not run. What comes out is looked at by verify.c.
 *
 * Input: how the vCPU stands (struct setting, SETTING_BYTES), then code.
 */
#include "tests/fuzz/core/input.h"
#include "tests/fuzz/core/verify.h"
#include "tests/unit/unit.h"

#include "bt/bt_priv.h"
#include "bt/key.h"
#include "bt/template.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/board_pc.h"

enum {
    RAM_BYTES = 4 << 20,
    CACHE_BYTES = 1 << 20,
    CODE_GPA = 0x100000, /* two pages */
    THUNKS_GPA = CODE_GPA - PAGE_SIZE,
    PAGE_DIRECTORY = 0x2000,
    CODE_BYTES = 192,
    ROUNDS = 3, /* an instruction's third translation comes from its template (bt/template.h) */
};

static struct vm vm;

/* What libFuzzer takes for coverage beside branches: which instructions in which forms. */
enum { COUNTERS = 1 << 16 };
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static const struct seg flat = {.attr = SEG_P | SEG_S | SEG_W | SEG_A | SEG_DB | SEG_DPL,
                                .limit = UINT32_MAX};

/* A segment of one of four classes: flat, with a base, with a limit, or of another type. */
static struct seg make_seg(unsigned class, bool code, bool wide, unsigned cpl) {
    struct seg s = flat;

    s.attr = (uint16_t)((s.attr & ~(SEG_DPL | SEG_DB)) | cpl << SEG_DPL_SHIFT);
    s.attr |= (code ? SEG_CODE : 0) | (wide ? SEG_DB : 0);
    if (class >= 1)
        s.base = 0x12345000;
    if (class >= 2)
        s.limit = 0xffff;
    if (class == 3)
        s.attr = (uint16_t)(code ? s.attr & ~SEG_W : s.attr | SEG_E);
    return s;
}

struct setting {
    uint8_t mode, flags, classes, more, control, limit;
    uint16_t offset;
};

enum { MODE_REAL = 2, MODE_V86 = 3 };
enum {
    FLAG_CODE32 = 1,
    FLAG_STACK32 = 2,
    FLAG_CHECKED = 4,
    FLAG_SINGLE = 8,
    FLAG_USER = 16,
    FLAG_HINTS = 32,
    FLAG_COUNTING = 64,
    FLAG_WATCH = 128
};
enum { CONTROL_EM = 1, CONTROL_TS = 2, CONTROL_MP = 4, CONTROL_SSE_OFF = 8, CONTROL_PAGING = 16 };
enum { MORE_ALIGN = 16, MORE_GLOBAL = 32, MORE_USER_FS = 64 };

static void set_paging(struct vcpu *v, bool global, bool user) {
    uint32_t entry = PTE_P | PTE_RW | PTE_PS | (global ? PTE_G : 0) | (user ? PTE_US : 0);

    memcpy(vm.mem.ram + PAGE_DIRECTORY, &entry, sizeof entry);
    v->cr0 |= CR0_PG;
    v->cr3 = PAGE_DIRECTORY;
    v->cr4 |= CR4_PSE | CR4_PGE;
}

static void set_segments(struct vcpu *v, const struct setting *s) {
    bool paragraphs = (s->mode & 3) >= MODE_REAL;
    unsigned more = s->more & 15u;

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        unsigned class = i >= SEG_FS ? more >> 2 * (i - SEG_FS) & 3 : s->classes >> 2 * i & 3u;
        bool wide = s->flags & (i == SEG_CS ? FLAG_CODE32 : FLAG_STACK32);
        struct seg seg = make_seg(class, i == SEG_CS, wide && !paragraphs, v->cpl);

        if (paragraphs)
            seg = (struct seg){.sel = 0x1000,
                               .base = 0x10000,
                               .limit = 0xffff,
                               .attr = SEG_P | SEG_S | SEG_W | SEG_A | (v->cpl ? SEG_DPL : 0)};
        if (i == SEG_CS) {
            v->eip = s->offset & 0x1fffu;
            seg.base = CODE_GPA - (class ? 0 : (uint32_t)CODE_GPA);
            v->eip += class ? 0 : (uint32_t)CODE_GPA;
            if (seg.limit != UINT32_MAX || s->limit)
                seg.limit = s->limit ? v->eip + s->limit - 1 : 0xffff;
        }
        vcpu_set_seg(v, i, &seg);
    }
}

static void set_state(struct vcpu *v, const struct setting *s) {
    unsigned mode = s->mode & 3;

    vcpu_reset(v);
    v->cpl = mode == MODE_V86 || (s->flags & FLAG_USER && mode != MODE_REAL) ? 3 : 0;
    if (mode != MODE_REAL)
        v->cr0 |= CR0_PE;
    v->cr0 |= (s->control & CONTROL_EM ? CR0_EM : 0) | (s->control & CONTROL_TS ? CR0_TS : 0) |
              (s->control & CONTROL_MP ? CR0_MP : 0) | (s->more & MORE_ALIGN ? CR0_AM : 0);
    v->cr4 |= s->control & CONTROL_SSE_OFF ? 0 : CR4_OSFXSR;
    vcpu_set_eflags(v, (mode == MODE_V86 ? EFL_VM : 0) | (s->more & MORE_ALIGN ? EFL_AC : 0), ~0u);
    if (s->control & CONTROL_PAGING && mode != MODE_REAL)
        set_paging(v, s->more & MORE_GLOBAL, v->cpl == 3);
    set_segments(v, s);
    v->watching = s->flags & FLAG_WATCH;
    vm.counting = s->flags & FLAG_COUNTING;
    host_stub.user_fs = s->more & MORE_USER_FS;
    vm_set_form(&vm, s->flags & FLAG_CHECKED ? VM_FORM_CHECKED : VM_FORM_DIRECT);
}

/* By shape (bt/insn_shape.h) or not, an instruction is the same. */
static void compare_decodings(struct vcpu *v, const uint8_t *bytes) {
    struct insn fast, slow;
    bool code32 = v->seg[SEG_CS].attr & SEG_DB;

    memset(&fast, 0, sizeof fast);
    memset(&slow, 0, sizeof slow);
    enum insn_status expected =
        insn_decode(vm.bt->decoder, code32, bytes, INSN_MAX_BYTES - 1, &slow);
    if (expected == INSN_PARTIAL || expected == INSN_TOO_LONG)
        return;
    enum insn_status status = insn_decode(vm.bt->decoder, code32, bytes, INSN_MAX_BYTES, &fast);
    if (status != expected || (status == INSN_OK && memcmp(&fast, &slow, sizeof fast) != 0))
        BROKEN("decoded by shape: status %d, else %d", status, expected);
}

static void count(const struct block *b, uint64_t insns) {
    for (uint64_t k = 0; k < insns && k < BLOCK_MAX_INSNS; k++) {
        const struct insn *i = &vm.bt->insns[k];
        uint32_t what = i->mnemonic | (uint32_t)i->mem.present << 11 |
                        (uint32_t)(i->opsize & 6u) << 11 | (uint32_t)(i->mem.adsize == 2) << 14;
        uint32_t key = b->key & (KEY_DIRECT | KEY_CODE32 | KEY_STACK32 | KEY_FLAT(SEG_DS));
        uint8_t *counter = &counters[((what ^ key * 0x9e3779b1u >> 19) * 0x9e3779b1u) >> 16];
        *counter = 1;
    }
}

/* A PC thunk (bt/pc_thunk.c) for each register, on a page that the code TLB knows. */
static void make_thunks(struct vcpu *v) {
    for (unsigned reg = 0; reg < 8; reg++) {
        const uint8_t thunk[PC_THUNK_BYTES] = {0x8b, (uint8_t)(0x04 | reg << 3), 0x24, 0xc3};
        memcpy(vm.mem.ram + THUNKS_GPA + reg * PC_THUNK_BYTES, thunk, sizeof thunk);
    }
    if (!codepage_lookup(vm.bt, v, THUNKS_GPA))
        BROKEN("no page of thunks");
}

/* What stands for the call of a PC thunk takes its place, and leaves it again. */
static void verify_thunk_calls(struct vcpu *v, struct block *b) {
    for (unsigned n = 0; n < b->exit_count; n++) {
        const struct block_exit *x = &block_exits(vm.bt, b)[n];
        if (!x->pc_thunk)
            continue;
        v->eip = x->target;
        uint32_t page = codepage_lookup(vm.bt, v, v->seg[SEG_CS].base + v->eip);
        struct block *to = page ? translate_block(vm.bt, v, page, b->key) : NULL;
        if (!to)
            BROKEN("no block for a PC thunk");
        block_chain(vm.bt, b, n, to);
        block_skip_check(vm.bt, b, n);
        if (!x->unchecked)
            BROKEN("a PC thunk that must be called");
        verify_block(vm.bt, b);
        block_kill(vm.bt, to);
        verify_block(vm.bt, b);
    }
}

static void translate_one(struct vcpu *v, const struct setting *s) {
    struct bt *bt = vm.bt;
    uint64_t before = bt->stats.guest_insns;
    uint32_t key = key_of(v, s->flags & FLAG_SINGLE);

    codepage_make_room(bt);
    make_thunks(v);
    uint32_t page = codepage_lookup(bt, v, v->seg[SEG_CS].base + v->eip);
    struct block *b = page ? translate_block(bt, v, page, key) : NULL;
    if (!b) {
        if (!v->exc.pending)
            BROKEN("no block and no fault");
        return;
    }
    if (v->exc.pending)
        BROKEN("a block and a fault");
    verify_block(bt, b);
    count(b, bt->stats.guest_insns - before);
    verify_thunk_calls(v, b);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const struct board_config config = {.debugcon = -1};

    (void)argc;
    (void)argv;
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* for host_panic() */
    host_stub_reset();
    if (!vm_create(&vm, RAM_BYTES, CACHE_BYTES, &config))
        abort();
    verify_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct setting s = {input_u8(&in), input_u8(&in), input_u8(&in), input_u8(&in),
                        input_u8(&in), input_u8(&in), input_u16(&in)};
    struct vcpu *v = &vm.vcpu;
    size_t n = in.left < CODE_BYTES ? in.left : CODE_BYTES;
    uint8_t bytes[CODE_BYTES + INSN_MAX_BYTES] = {0};

    memcpy(bytes, in.at, n);
    if ((s.mode & 3) >= MODE_REAL)
        s.classes |= 1 << 2 * SEG_CS; /* the code stands at CS base + offset */
    set_state(v, &s);
    if ((s.offset & 0x1fff) + sizeof bytes > 0x2000) /* up to the end of RAM's second code page */
        s.offset = (uint16_t)(0x1000 - 1 - s.offset % 64);
    set_segments(v, &s);
    memcpy(vm.mem.ram + CODE_GPA + (s.offset & 0x1fff), bytes, sizeof bytes);
    compare_decodings(v, bytes);
    /* what came of an input must not depend on those before */
    memset(vm.bt->templates, 0, TEMPLATES * sizeof *vm.bt->templates);
    memset(vm.bt->hints, 0, HINTS * sizeof *vm.bt->hints);
    for (uint32_t k = 0; s.flags & FLAG_HINTS && k < n; k++)
        hint_set(vm.bt, CODE_GPA + (s.offset & 0x1fffu) + k);
    uint32_t eip = v->eip;
    for (unsigned round = 0; round < ROUNDS && !v->exc.pending; round++) {
        v->eip = eip; /* verify_thunk_calls() goes elsewhere */
        translate_one(v, &s);
        bt_reset(&vm);
    }
    return 0;
}
