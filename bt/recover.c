/*
 * From a host code address back to the exact guest instruction, by the block's side table.
 */
#include "bt/bt_priv.h"

bool recover_at(struct bt *bt, uint32_t offset, struct recovered *out) {
    struct block *b;
    const struct side_entry *sides;
    const struct side_entry *at = NULL;

    if (offset >= bt->thunk_return_miss && offset < bt->thunk_jump_check_end) {
        *out = (struct recovered){.fix = FIX_EIP_R8};
        return true;
    }
    b = block_at(bt, offset);
    if (!b)
        return false;
    if (offset < block_entry(b)) {
        *out = (struct recovered){.block = b, .eip = b->eip, .fix = FIX_EIP_R8};
        return true;
    }
    sides = block_sides(bt, b);
    for (unsigned k = 0; k < b->side_count && sides[k].host <= offset - b->host; k++)
        at = &sides[k];
    if (!at)
        return false;
    *out = (struct recovered){.block = b,
                              .eip = b->eip + at->guest,
                              .fix = (enum side_fix)at->fix,
                              .esp_delta = 4 * at->esp};
    return true;
}
