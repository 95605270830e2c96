/*
 * Hot code: which pages are worth the longer blocks that go on behind branches and calls
 * (translate.c). Those hold each instruction several times over: for all of a compiler's code
 * that would take nine times the translating and more than the cache, while what it saves, it saves
 * where time is spent.
 *
 * The host takes samples. A page is hot when HOT_SAMPLES of the last HOT_WINDOW samples of
 * code in direct form lay in it, and stays so for HOT_LIFE samples. Its translations are dropped
 * then; what runs again is translated again.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

enum { HOT_SAMPLES = 3, HOT_WINDOW = 256, HOT_LIFE = 4096 };

static bool may_extend(uint32_t key) {
    return (key & KEY_DIRECT) && (key & KEY_FLAT(SEG_CS)) && !(key & KEY_SINGLE);
}

bool heat_is_hot(const struct code_page *p, uint32_t now) {
    return p->heat >= HOT_SAMPLES && now - p->heat_last < HOT_LIFE;
}

bool heat_add(struct code_page *p, uint32_t now) {
    bool was_hot = heat_is_hot(p, now);

    if (!was_hot && now - p->heat_first >= HOT_WINDOW) {
        p->heat = 0;
        p->heat_first = now;
    }
    if (p->heat < HOT_SAMPLES)
        p->heat++;
    p->heat_last = now;
    return !was_hot && heat_is_hot(p, now);
}

bool heat_extends(const struct bt *bt, const struct block *b) {
    if (!may_extend(b->key) || bt->vm->form == VM_FORM_SHORT)
        return false;
    /* the form that is asked for, all of it: for tests */
    return bt->vm->form == VM_FORM_DIRECT || heat_is_hot(&bt->pages[b->page], bt->heat_clock);
}

bool heat_sample(struct bt *bt, const struct block *b) {
    struct code_page *p = &bt->pages[b->page];

    if (!b->page || !may_extend(b->key))
        return false;
    bool was_hot = heat_is_hot(p, ++bt->heat_clock);
    if (heat_add(p, bt->heat_clock))
        bt->heated = b->page;
    return !was_hot;
}

void heat_apply(struct bt *bt) {
    uint32_t page = bt->heated;

    bt->heated = 0;
    if (page)
        codepage_kill(bt, page);
}
