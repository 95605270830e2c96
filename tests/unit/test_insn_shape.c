/*
 * Shapes (bt/insn_shape.h) against the decoder itself: every instruction decoded by shape must be
 * what the decoder says. With fewer than 15 bytes given no shape is used.
 */
#include <stdlib.h>

#include "bt/insn.h"
#include "bt/insn_shape.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 500000, SHORT = 14 };

static uint32_t state = 1;

static uint32_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Half of the time with a prefix; the byte values that shapes depend on often. */
static void make_instruction(uint8_t *bytes) {
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f};
    unsigned at = 0;

    for (unsigned k = 0; k < INSN_MAX_BYTES; k++)
        bytes[k] = (uint8_t)next_random();
    while (at < 4 && next_random() % 2)
        bytes[at++] = prefixes[next_random() % sizeof prefixes];
}

static void compare(struct insn_decoder *d, bool code32, const uint8_t *bytes, unsigned *same) {
    struct insn fast = {0}, slow = {0};
    enum insn_status expected = insn_decode(d, code32, bytes, SHORT, &slow);
    enum insn_status status = insn_decode(d, code32, bytes, INSN_MAX_BYTES, &fast);

    if (expected == INSN_PARTIAL || expected == INSN_TOO_LONG)
        return;
    assert_int_equal(status, expected);
    if (status != INSN_OK)
        return;
    assert_memory_equal(&fast, &slow, sizeof fast);
    ++*same;
}

static void random_instructions(void **unused) {
    struct insn_decoder *d = calloc(1, insn_decoder_size());
    uint8_t bytes[INSN_MAX_BYTES];
    unsigned same = 0;

    (void)unused;
    assert_non_null(d);
    insn_decoder_init(d);
    for (unsigned k = 0; k < ROUNDS; k++) {
        make_instruction(bytes);
        compare(d, k % 2, bytes, &same);
        /* the same leading bytes in all likelihood, another displacement and immediate */
        for (unsigned at = 4; at < INSN_MAX_BYTES; at++)
            bytes[at] = (uint8_t)next_random();
        compare(d, k % 2, bytes, &same);
    }
    assert_true(same > ROUNDS / 2);
    free(d);
}

/* A shape is found again, whatever displacement and immediate. */
static void is_found_again(void **unused) {
    static const struct {
        uint8_t bytes[INSN_MAX_BYTES];
        unsigned lead;
    } cases[] = {
        {{0x90}, 1},                                     /* nop */
        {{0xb8, 1, 2, 3, 4}, 1},                         /* mov eax, imm32 */
        {{0x8b, 0x45, 0xfc}, 2},                         /* mov eax, [ebp-4] */
        {{0x8b, 0x44, 0x24, 0x10}, 3},                   /* mov eax, [esp+16] */
        {{0x66, 0x81, 0x44, 0x24, 0x10, 0x34, 0x12}, 4}, /* add word [esp+16], 1234h */
        {{0x0f, 0xb6, 0x05, 1, 2, 3, 4}, 3},             /* movzx eax, byte [disp32] */
        {{0x0f, 0x84, 1, 2, 3, 4}, 2},                   /* jz */
        {{0x64, 0xa1, 1, 2, 3, 4}, 2},                   /* mov eax, fs:[disp32] */
        {{0xf3, 0x0f, 0x10, 0x44, 0x8d, 0x08}, 5},       /* movss xmm0, [ebp+ecx*4+8] */
        {{0x67, 0x8b, 0x46, 0x04}, 3},                   /* mov eax, [bp+4] */
    };
    struct insn_shapes *shapes = calloc(1, sizeof *shapes);

    (void)unused;
    assert_non_null(shapes);
    for (unsigned k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t bytes[INSN_MAX_BYTES];
        memcpy(bytes, cases[k].bytes, sizeof bytes);
        uint64_t key = shape_key(bytes, 0, false);
        struct insn i = {.lead_bytes = (uint8_t)cases[k].lead, .length = (uint8_t)cases[k].lead};
        shape_keep(shapes, key, &i);
        for (unsigned at = cases[k].lead; at < INSN_MAX_BYTES; at++)
            bytes[at] ^= 0xa5;
        assert_int_equal(shape_key(bytes, 0, false), key);
        assert_non_null(shape_find(shapes, key));
        assert_true(shape_key(bytes, 1, false) != key);
        bytes[cases[k].lead - 1] ^= 1;
        assert_true(shape_key(bytes, 0, false) != key);
    }
    free(shapes);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_instructions),
        cmocka_unit_test(is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
