/*
 * Templates (bt/template.h): a block is the same bytes whether its instructions came from templates
 * or were lowered.
 */
#include "bt/insn.h"
#include "bt/key.h"
#include "bt/template.h"
#include "tests/unit/bt_rig.h"

enum { RAM = 1 << 20, GLA = 0x1000, HLT = 0xf4, ROUNDS = 20000, CODE_MAX = 4096 };

static uint32_t random_state;
static struct insn_template *none; /* a table that knows no instruction */

static uint32_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        vm.vcpu.seg[s].limit = UINT32_MAX;
    random_state = 1;
    none = host_alloc(TEMPLATES * sizeof *none);
    assert_non_null(none);
    return 0;
}

static uint32_t flat_key(unsigned cpl, uint32_t more) {
    uint32_t key = cpl | KEY_CODE32 | KEY_STACK32 | more;

    for (unsigned s = SEG_ES; s <= SEG_DS; s++)
        key |= KEY_FLAT(s) | KEY_WIDE(s);
    return key;
}

struct host_bytes {
    unsigned size;
    uint8_t code[CODE_MAX];
};

/* The block at GLA. Its room is free again afterwards, so that the next one stands in its place:
 * branches to other places are the same bytes then. */
static void translate(uint32_t key, struct host_bytes *out) {
    struct bt *bt = vm.bt;

    vm.vcpu.eip = GLA;
    uint32_t page = codepage_lookup(bt, &vm.vcpu, GLA);
    struct block *b = translate_block(bt, &vm.vcpu, page, key);
    assert_non_null(b);
    assert_in_range(b->host_size, 1, CODE_MAX);
    out->size = b->host_size;
    memcpy(out->code, bt_rw(bt, b->host), b->host_size);
    block_kill(bt, b);
    bt->head = b->host;
    bt->table_head = b->table;
    bt->stub_head = b->stubs;
    bt->block_head = block_number(bt, b);
}

/* The code with and without what has been learnt. */
static void compare(uint32_t key, const uint8_t *code, size_t bytes) {
    static struct host_bytes made, lowered;
    struct insn_template *learnt = vm.bt->templates;

    memcpy(vm.mem.ram + GLA, code, bytes);
    translate(key, &made);
    memset(none, 0, TEMPLATES * sizeof *none);
    vm.bt->templates = none;
    translate(key, &lowered);
    vm.bt->templates = learnt;
    assert_int_equal(made.size, lowered.size);
    assert_memory_equal(made.code, lowered.code, made.size);
}

static unsigned count(enum template_state state) {
    unsigned n = 0;

    for (unsigned k = 0; k < TEMPLATES; k++)
        n += vm.bt->templates[k].state == state;
    return n;
}

/* One instruction with these two numbers, and HLT. Those that a shorter encoding could hold are
 * avoided: lowering chooses it, a template does not. */
static void number_it(uint8_t *code, const struct insn *i) {
    uint32_t disp = next_random() | 0x01010101, imm = next_random();

    memcpy(code + i->lead_bytes, &disp, i->disp_bytes);
    memcpy(code + i->lead_bytes + i->disp_bytes, &imm, i->imm_bytes);
    code[i->length] = HLT;
}

static bool decodes(const uint8_t *code, struct insn *i) {
    return insn_decode(vm.bt->decoder, true, code, INSN_MAX_BYTES, i) == INSN_OK &&
           i->lead_bytes + i->disp_bytes + i->imm_bytes == i->length;
}

static void same_three_times(uint32_t key, uint8_t *code) {
    struct insn i;

    if (!decodes(code, &i))
        return;
    for (unsigned n = 0; n < 3; n++) {
        number_it(code, &i);
        compare(key, code, i.length + 1u);
    }
}

static void random_code(uint32_t key) {
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f};

    for (unsigned k = 0; k < ROUNDS; k++) {
        uint8_t code[INSN_MAX_BYTES + 1];
        unsigned at = 0;
        for (unsigned n = 0; n < sizeof code; n++)
            code[n] = (uint8_t)next_random();
        while (at < 3 && next_random() % 4 == 0)
            code[at++] = prefixes[next_random() % sizeof prefixes];
        same_three_times(key, code);
    }
}

static void kernel_code(void **state) {
    (void)state;
    random_code(flat_key(0, KEY_DIRECT));
    assert_true(count(TEMPLATE_READY) > TEMPLATES / 4);
    assert_true(count(TEMPLATE_NEVER) > 0);
}

/* Memory operands are looked up in the TLB: only instructions without one have templates. */
static void checked_user_code(void **state) {
    (void)state;
    random_code(flat_key(3, 0));
    assert_true(count(TEMPLATE_READY) > TEMPLATES / 16);
}

static void code_of_segments_that_are_checked(void **state) {
    (void)state;
    random_code(KEY_CODE32 | KEY_STACK32 | KEY_DIRECT);
    assert_true(count(TEMPLATE_READY) > TEMPLATES / 16);
}

/* What lies behind 0F 38 and 0F 3A is no part of the shape: these two would share a template. */
static void shapes_that_guess_wrong_have_none(void **state) {
    static const uint8_t one[] = {0x66, 0x0f, 0x38, 0x17, 0xc2, HLT};   /* ptest xmm0, xmm2 */
    static const uint8_t other[] = {0x66, 0x0f, 0x38, 0x00, 0xc2, HLT}; /* pshufb xmm0, xmm2 */

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        compare(flat_key(0, KEY_DIRECT), one, sizeof one);
    compare(flat_key(0, KEY_DIRECT), other, sizeof other);
    assert_int_equal(count(TEMPLATE_READY), 0);
}

/* PUSH of a byte pushes four: the template must not put just the one in. */
static void extended_immediates_have_none(void **state) {
    static const uint8_t positive[] = {0x6a, 0x12, HLT}, negative[] = {0x6a, 0x81, HLT};

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        compare(flat_key(0, KEY_DIRECT), positive, sizeof positive);
    compare(flat_key(0, KEY_DIRECT), negative, sizeof negative);
}

/* Kernel and user code go through windows with other prefixes. */
static void each_key_has_its_own(void **state) {
    static const uint8_t code[] = {0x8b, 0x45, 0x10, HLT}; /* mov eax, [ebp+16] */

    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        compare(flat_key(0, KEY_DIRECT), code, sizeof code);
        compare(flat_key(3, KEY_DIRECT), code, sizeof code);
        compare(flat_key(3, 0), code, sizeof code);
    }
}

static void hinted_instructions_are_lowered(void **state) {
    static const uint8_t code[] = {0x8b, 0x45, 0x10, HLT};
    static struct host_bytes direct, checked;

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        compare(flat_key(0, KEY_DIRECT), code, sizeof code);
    assert_int_equal(count(TEMPLATE_READY), 1);
    translate(flat_key(0, KEY_DIRECT), &direct);
    hint_set(vm.bt, GLA);
    compare(flat_key(0, KEY_DIRECT), code, sizeof code);
    translate(flat_key(0, KEY_DIRECT), &checked);
    assert_true(checked.size > direct.size);
}

/* The 4 GiB of a code segment end in the middle of an instruction, where its page does not. */
static void the_segment_ends_first(void **state) {
    static const uint8_t code[] = {0xb8, 1, 2, 3, 4, HLT}; /* mov eax, imm32 */
    uint32_t key = flat_key(0, KEY_DIRECT) & ~(uint32_t)KEY_FLAT(SEG_CS);
    struct vcpu *v = &vm.vcpu;

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        compare(key, code, sizeof code);
    assert_int_equal(count(TEMPLATE_READY), 1);
    v->eip = UINT32_MAX - 2;
    v->seg[SEG_CS].base = GLA - v->eip;
    assert_null(translate_block(vm.bt, v, codepage_lookup(vm.bt, v, GLA), key));
    assert_true(v->exc.pending);
    assert_int_equal(v->exc.vector, VEC_GP);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kernel_code, translator),
        cmocka_unit_test_setup(checked_user_code, translator),
        cmocka_unit_test_setup(code_of_segments_that_are_checked, translator),
        cmocka_unit_test_setup(shapes_that_guess_wrong_have_none, translator),
        cmocka_unit_test_setup(extended_immediates_have_none, translator),
        cmocka_unit_test_setup(each_key_has_its_own, translator),
        cmocka_unit_test_setup(hinted_instructions_are_lowered, translator),
        cmocka_unit_test_setup(the_segment_ends_first, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
