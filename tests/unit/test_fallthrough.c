/* bt/block.c: branches at a block's end, when what they lead to stands right behind it. */
#include "tests/unit/bt_rig.h"

enum { RAM = 1 << 20, GLA = 0x1000, NEXT_AT = 2, TAKEN_AT = 0x10 };
/* A's exits, and the blocks they lead to */
enum { TAKEN, NEXT };

static const uint8_t code[] = {0x75,
                               TAKEN_AT - NEXT_AT, /* jne */
                               0x40,
                               0xeb,
                               0xfd, /* next: inc eax; jmp next */
                               [TAKEN_AT] = 0x43,
                               0xeb,
                               0xfd};
static uint32_t page;

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    page = bt_rig_code(GLA, code, sizeof code);
    return 0;
}

static struct block *translate(uint32_t at) {
    return bt_rig_translate(page, GLA + at, RIG_KEY);
}

/* How long the NOP here is; 0: it is none. SDM vol. 2B, NOP. */
static unsigned nop_bytes(const uint8_t *p) {
    unsigned prefix = p[0] == 0x66;

    p += prefix;
    if (p[0] != 0x0f || p[1] != 0x1f)
        return 0;
    return prefix + (p[2] == 0x44 ? 5 : p[2] == 0x80 ? 7 : p[2] == 0x84 ? 8 : 0);
}

/* Follows the host code at a block's end with ZF clear or set to another block or a stub; counts
 * the branches taken. */
static uint32_t follow(const struct block *from, bool zf, unsigned *taken) {
    enum { JCC_AND_JMP = 11 };
    uint32_t at = from->host + from->host_size - JCC_AND_JMP, end = from->host + from->host_size;

    for (*taken = 0; at >= from->host && at < end;) {
        const uint8_t *p = bt_rw(vm.bt, at);
        int32_t by;
        bool jcc = p[0] == 0x0f && (p[1] & 0xfe) == 0x84; /* je, jne */
        unsigned nop = nop_bytes(p);
        if (nop) {
            at += nop;
            continue;
        }
        assert_true(jcc || p[0] == 0xe9);
        memcpy(&by, p + (jcc ? 2 : 1), sizeof by);
        at += jcc ? 6 : 5;
        if (!jcc || zf != (p[1] & 1)) {
            at += (uint32_t)by;
            ++*taken;
        }
    }
    return at;
}

static void assert_leads(const struct block *from, const struct block *to, unsigned exit) {
    unsigned taken;
    uint32_t at = follow(from, exit == NEXT, &taken);
    bool is_behind = to && to->host - (from->host + from->host_size) < TCACHE_ALIGN;

    assert_int_equal(at, to ? to->host : block_stub(from, exit));
    assert_int_equal(taken, !is_behind);
}

/* All orders in which either successor is translated, chained and killed. */
static void ends(void **state) {
    (void)state;
    for (unsigned order = 0; order < 8; order++) {
        const unsigned first = order & 1, chained = order >> 1 & 1, killed = order >> 2;
        struct block *to[2], *linked[2] = {NULL, NULL}, *from = translate(0);

        to[first] = translate(first == NEXT ? NEXT_AT : TAKEN_AT);
        to[!first] = translate(first == NEXT ? TAKEN_AT : NEXT_AT);
        assert_int_equal(block_exits(vm.bt, from)[NEXT].target, GLA + NEXT_AT);
        for (unsigned k = 0; k < 4; k++) {
            assert_leads(from, linked[TAKEN], TAKEN);
            assert_leads(from, linked[NEXT], NEXT);
            unsigned n = k < 2 ? chained ^ k : killed ^ (k & 1);
            if (k < 2)
                block_chain(vm.bt, from, n, to[n]);
            else
                block_kill(vm.bt, to[n]);
            linked[n] = k < 2 ? to[n] : NULL;
        }
        assert_leads(from, NULL, TAKEN);
        assert_leads(from, NULL, NEXT);
        block_kill(vm.bt, from);
    }
}

/* Behind a block whose branch was turned round comes another in time. */
static void what_was_behind_is_gone(void **state) {
    (void)state;
    struct block *from = translate(0), *taken = translate(TAKEN_AT);

    block_chain(vm.bt, from, TAKEN, taken);
    block_kill(vm.bt, taken);
    struct block *next = translate(NEXT_AT);
    taken = translate(TAKEN_AT);
    block_chain(vm.bt, from, NEXT, next);
    block_chain(vm.bt, from, TAKEN, taken);
    assert_leads(from, taken, TAKEN);
    assert_leads(from, next, NEXT);
    assert_int_equal(vm.bt->stats.fallthroughs, 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ends, translator),
        cmocka_unit_test_setup(what_was_behind_is_gone, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
