/*
 * Creating the translator, and its statistics.
 */
#include "bt/bt.h"

#include "bt/bt_priv.h"
#include "bt/native.h"
#include "bt/template.h"

/* One that is used all over, soon. */
static void *dense_table(size_t bytes) {
    void *p = host_alloc_dense(bytes);

    if (p)
        host_present(p, bytes);
    return p;
}

static bool allocate(struct bt *bt, uint64_t frames) {
    bt->tables_size = (uint32_t)(bt->code.size / TABLES_SHARE);
    bt->tables = host_alloc_dense(bt->tables_size);
    bt->buckets = dense_table(BLOCK_BUCKETS * sizeof *bt->buckets);
    bt->pages = dense_table(CODE_PAGES * sizeof *bt->pages);
    bt->page_buckets = dense_table(CODE_PAGE_BUCKETS * sizeof *bt->page_buckets);
    bt->frame_pages = host_alloc(frames * sizeof *bt->frame_pages);
    bt->frame_blocks = host_alloc(frames * sizeof *bt->frame_blocks);
    bt->frame_writes = host_alloc(frames);
    bt->hints = dense_table(HINTS * sizeof *bt->hints);
    bt->decoder = dense_table(insn_decoder_size());
    bt->templates = dense_table(TEMPLATES * sizeof *bt->templates);
    bt->poison = host_poison_create(POISON_BYTES + PAGE_SIZE);
    bt->vm->vcpu.seg_poison = (uint64_t)(uintptr_t)bt->poison + POISON_BYTES;
    return bt->buckets && bt->pages && bt->page_buckets && bt->frame_pages && bt->frame_blocks &&
           bt->frame_writes && bt->hints && bt->decoder && bt->templates && bt->tables &&
           bt->poison;
}

bool bt_create(struct vm *vm, size_t cache_bytes) {
    struct bt *bt = host_alloc(sizeof *bt);

    if (!bt)
        return false;
    bt->vm = vm;
    if (!host_code_create(&bt->code, cache_bytes) || !allocate(bt, vm->mem.span >> PAGE_SHIFT))
        return false;
    bt->block_head = bt->block_tail = 1;
    bt->page_count = 1;
    bt->page_id = 1; /* ids start at 2: an unlinked page check compares with 1 */
    insn_decoder_init(bt->decoder);
    thunks_emit(bt);
    vm->vcpu.edge = host_edge_create(); /* may be NULL */
    if (!jumpcache_create(bt) || !returns_create(bt) ||
        (host_user_can() && !native_ldt_create(&bt->native_ldt)))
        return false;
    /* The ring of tables began a large page; that of blocks, behind all that is in use from the
     * start, begins in one which is there anyway. */
    bt->blocks = host_alloc_dense(BLOCKS * sizeof *bt->blocks);
    if (!bt->blocks)
        return false;
    bt->stats.cache_size = bt->code.size;
    vm->bt = bt;
    return true;
}

void bt_reset(struct vm *vm) {
    tcache_flush(vm->bt);
    links_reset(vm->bt);
    jumpcache_flush(vm->bt, true);
    codepage_forget(vm->bt, false);
    codepage_forget(vm->bt, true);
    vm->vcpu.exit_slot = 0;
}

const struct bt_stats *bt_stats(const struct vm *vm) {
    return &vm->bt->stats;
}

static const struct {
    callout_fn fn;
    const char *name;
} callouts[] = {
#define X(n) {callout_##n, #n},
    CALLOUT_LIST(X)
#undef X
};

const char *bt_callout_name(unsigned i) {
    return i < sizeof callouts / sizeof callouts[0] ? callouts[i].name : NULL;
}

bool bt_callout_does_io(unsigned i) {
    callout_fn fn = callouts[i].fn;

    return fn == callout_in || fn == callout_out || fn == callout_ins || fn == callout_outs;
}

uint64_t bt_callout_address(unsigned i) {
    return (uint64_t)(uintptr_t)callouts[i].fn;
}

unsigned bt_callout_index(callout_fn fn) {
    unsigned i = 0;

    while (callouts[i].fn != fn)
        i++;
    return i;
}
