/* bt/translate.c: where loops look for interrupts. */
#include "tests/unit/bt_rig.h"

#include <string.h>

enum { RAM = 1 << 20, GLA = 0x1000, DEC = 0, JNZ = 1 };
static uint32_t key;

static const uint8_t poll[] = {0x45, 0x8b, 0x45, 0x00};        /* mov r8d, [r13] */
static const uint8_t dec_and_jnz[] = {0xff, 0xc9, 0x0f, 0x85}; /* dec ecx; jnz */

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    key = RIG_KEY | KEY_FLAT(SEG_SS) | KEY_WIDE(SEG_SS);
    return 0;
}

/* Translates code from `at` on, that stands at the page's start. */
static const struct block *translate(const void *code, size_t bytes, uint32_t at) {
    return bt_rig_translate(bt_rig_code(GLA, code, bytes), GLA + at, key);
}

/* Where `what` stands in the block's host code; -1: nowhere. */
static long where(const struct block *b, const uint8_t *what, size_t bytes) {
    const uint8_t *code = bt_rw(vm.bt, b->host);
    const uint8_t *at = memmem(code, b->host_size, what, bytes);

    return at ? at - code : -1;
}

static long poll_in(const struct block *b) {
    long at = where(b, poll, sizeof poll);

    if (at >= 0) {
        const uint8_t *code = bt_rw(vm.bt, b->host), *rest = code + at + sizeof poll;
        assert_null(memmem(rest, b->host_size - (size_t)(rest - code), poll, sizeof poll));
    }
    return at;
}

/* The processor makes one of DEC and JNZ. */
static void a_loop_polls_before_what_sets_its_flags(void **state) {
    (void)state;
    static const uint8_t near[] = {0x49, 0x75, 0xfd},
                         wide[] = {0x49, 0x0f, 0x85, 0xf9, 0xff, 0xff, 0xff};
    const struct block *b = translate(near, sizeof near, DEC);
    long branch = where(b, dec_and_jnz, sizeof dec_and_jnz);
    struct recovered at;

    assert_true(branch >= 0);
    assert_int_equal(poll_in(b), branch - (long)sizeof poll);
    assert_true(recover_at(vm.bt, b->host + (uint32_t)poll_in(b), &at));
    assert_int_equal(at.eip, GLA + DEC);
    b = translate(wide, sizeof wide, DEC);
    assert_int_equal(poll_in(b), where(b, dec_and_jnz, sizeof dec_and_jnz) - (long)sizeof poll);
}

static void one_that_begins_with_its_branch_polls_there(void **state) {
    (void)state;
    static const uint8_t code[] = {0x49, 0x75, 0xfd};
    const struct block *b = translate(code, sizeof code, JNZ);

    assert_true(poll_in(b) >= 0);
    assert_true(poll_in(b) < where(b, dec_and_jnz + 2, 2));
}

static void what_goes_on_does_not_poll(void **state) {
    (void)state;
    static const uint8_t code[] = {0x49, 0x75, 0x02, 0x90, 0x90, 0xc3};

    assert_true(where(translate(code, sizeof code, DEC), dec_and_jnz, sizeof dec_and_jnz) >= 0);
    assert_int_equal(poll_in(translate(code, sizeof code, DEC)), -1);
}

/* Interrupts wait for the instruction behind STI, SDM vol. 2B. */
static void none_is_taken_right_behind_sti(void **state) {
    (void)state;
    static const uint8_t code[] = {0xfb, 0x49, 0x75, 0xfc};
    const struct block *b = translate(code, sizeof code, 0);

    assert_true(where(b, dec_and_jnz, 2) >= 0);
    assert_true(poll_in(b) > where(b, dec_and_jnz, 2));
}

/* cli; ...; sti; jnz: interrupts get in between STI and CLI or never, and behind JNZ, which has
 * STI's shadow and so leaves to the run loop. */
static void a_loop_that_ends_with_sti_leaves_behind_it(void **state) {
    (void)state;
    static const uint8_t code[] = {0xfb, 0x75, 0xfd};
    static const uint8_t load_r13[] = {0x4d, 0x8b, 0x6f};              /* mov r13, [r15 + disp8] */
    uint8_t shadow_sti[] = {0x41, 0xc6, 0x87, 0, 0, 0, 0, SHADOW_STI}; /* mov [r15+...], 1 */
    uint32_t at = offsetof(struct vcpu, shadow);
    const struct block *b = translate(code, sizeof code, 0);

    memcpy(shadow_sti + 3, &at, sizeof at);
    long shadow = where(b, shadow_sti, sizeof shadow_sti);
    assert_int_equal(poll_in(b), -1);
    assert_true(shadow > where(b, load_r13, sizeof load_r13));
    assert_true(shadow < where(b, dec_and_jnz + 2, 2));
}

/* Nor does what a call does count as looked at, nor does another branch take the poll's place. */
static void only_what_computes_lets_the_poll_come_early(void **state) {
    (void)state;
    static const uint8_t call[] = {0xe8, 0x10, 0x00, 0x00, 0x00, 0x75, 0xf9}; /* call; jnz */
    static const uint8_t two[] = {0x39, 0xd8, 0x74, 0x20, 0x72, 0xfa};        /* cmp; je; jb */
    static const uint8_t cmp_and_je[] = {0x39, 0xd8, 0x0f, 0x84};
    vm.form = VM_FORM_DIRECT;
    key |= KEY_DIRECT;
    const struct block *b = translate(call, sizeof call, 0);

    assert_true(poll_in(b) >= 0);
    assert_true(poll_in(b) < where(b, dec_and_jnz + 2, 2));
    assert_true(poll_in(b) > where(b, (const uint8_t[]){0xe8}, 1));
    b = translate(two, sizeof two, 0);
    assert_true(where(b, cmp_and_je, sizeof cmp_and_je) >= 0);
    assert_true(poll_in(b) > where(b, cmp_and_je, sizeof cmp_and_je));
}

/* Who is interrupted there sees the flags of what came before, though nothing in the loop does. */
static void flags_are_right_at_the_poll(void **state) {
    (void)state;
    static const uint8_t code[] = {0x83, 0xc4, 0x08, 0x39,
                                   0xd8, 0x75, 0xf9};      /* add esp, 8; cmp; jne */
    static const uint8_t add[] = {0x41, 0x83, 0xc4, 0x08}; /* add r12d, 8 */
    vm.form = VM_FORM_DIRECT;
    key |= KEY_DIRECT;
    const struct block *b = translate(code, sizeof code, 0);

    assert_true(where(b, add, sizeof add) >= 0);
    assert_true(poll_in(b) > where(b, add, sizeof add));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_loop_polls_before_what_sets_its_flags, translator),
        cmocka_unit_test_setup(one_that_begins_with_its_branch_polls_there, translator),
        cmocka_unit_test_setup(what_goes_on_does_not_poll, translator),
        cmocka_unit_test_setup(flags_are_right_at_the_poll, translator),
        cmocka_unit_test_setup(a_loop_that_ends_with_sti_leaves_behind_it, translator),
        cmocka_unit_test_setup(only_what_computes_lets_the_poll_come_early, translator),
        cmocka_unit_test_setup(none_is_taken_right_behind_sti, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
