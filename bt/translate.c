/*
 * Translating a block: guest code from v->eip to the first control transfer, page end, or
 * instruction that has to stand alone; where code is hot (heat.c), on behind branches not taken and
 * behind calls. Life of a block: docs/design.md.
 */
#include "bt/lower.h"
#include "bt/template.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

void translation_mark(struct translation *t, uint32_t eip, enum side_fix fix) {
    uint32_t at = (uint32_t)(t->e.p - t->e.start);

    if (t->side_count == BLOCK_SIDES || at > UINT16_MAX) {
        t->e.overflow = true;
        return;
    }
    block_sides(t->bt, t->block)[t->side_count++] =
        (struct side_entry){.host = (uint16_t)at,
                            .guest = (uint8_t)(eip - t->block->eip),
                            .fix = (uint8_t)fix,
                            .esp = (int8_t)(t->esp_delta / 4)};
}

static unsigned page_rest(gla_t gla) {
    return PAGE_SIZE - (gla & ~PAGE_MASK);
}

/* Adds the bytes behind the page end to the n before it. False: fault pending. */
static bool fetch_second_page(struct translation *t, gla_t gla, uint8_t *bytes, unsigned n) {
    struct vcpu *v = t->v;
    gla_t next = (gla & PAGE_MASK) + PAGE_SIZE;

    t->block->page2 = codepage_lookup(t->bt, v, next);
    if (!t->block->page2)
        return false;
    memcpy(bytes + n, codepage_bytes(t->bt, t->block->page2), INSN_MAX_BYTES - n);
    return true;
}

static bool gate_class(struct translation *t, const struct insn *i) {
    uint32_t key = t->key;
    callout_fn fault = NULL;

    switch (i->row->class) {
    case CLASS_X87:
        fault = key & KEY_FPU_NM ? callout_nm : NULL;
        break;
    case CLASS_MMX:
        fault = key & KEY_MMX_UD ? callout_ud : key & KEY_FPU_NM ? callout_nm : NULL;
        break;
    case CLASS_SSE:
        fault = key & KEY_SSE_UD ? callout_ud : key & KEY_SSE_NM ? callout_nm : NULL;
        break;
    case CLASS_FX:
        fault = key & KEY_FPU_NM ? callout_nm : NULL;
        break;
    case CLASS_WAIT:
        fault = key & KEY_WAIT_NM ? callout_nm : NULL;
        break;
    default:
        break;
    }
    if (!fault)
        return true;
    exit_callout(t, fault, 0);
    t->ended = true;
    return false;
}

/* An x87 or SSE instruction while FERR# is asserted (vmm/fpu_error.h). */
static void lower_beside_ferr(struct translation *t, const struct insn *i) {
    if (i->fpu_waits || i->row->class == CLASS_WAIT || i->row->class == CLASS_SSE)
        exit_callout(t, callout_fpu_hold, 0);
    i->row->lower(t, i);
    if (!t->ended)
        exit_callout(t, callout_fpu_settle, i->fpu_loads_status);
}

void translation_lower(struct translation *t, const struct insn *i) {
    /* behind STI no fault of the host may let an interrupt in */
    t->hinted = hint_get(t->bt, translation_gla(t)) || t->poll_in;
    t->checked = !(t->key & KEY_DIRECT) || t->hinted;
    t->incomplete = false;
    if (esp_fold(t, i))
        return;
    t->lags = esp_may_lag(t, i);
    if (!t->lags)
        esp_settle(t);
    if (i->row->class != CLASS_INT && !gate_class(t, i))
        return;
    if (t->key & KEY_FERR && i->row->class != CLASS_INT)
        lower_beside_ferr(t, i);
    else
        i->row->lower(t, i);
}

static enum insn_status decode(const struct translation *t, const uint8_t *bytes, unsigned n,
                               struct insn *out) {
    return insn_decode(t->bt->decoder, t->key & KEY_CODE32, bytes, n, out);
}

/* In the page that the block starts on. */
static const uint8_t *bytes_at(const struct translation *t, gla_t gla) {
    return t->page_bytes + (gla & ~PAGE_MASK);
}

enum { JCC_BYTES = 6 }; /* of the long form */

/* Is the instruction at eip a JCC that goes back? */
static bool closes_loop(const struct translation *t, uint32_t eip) {
    gla_t gla = t->block->gla + (eip - t->block->eip);
    const uint8_t *at = bytes_at(t, gla);

    if ((gla ^ t->block->gla) & PAGE_MASK || page_rest(gla) < JCC_BYTES || !(t->key & KEY_CODE32))
        return false;
    return at[0] == 0x0f ? (at[1] & 0xf0) == 0x80 && at[5] & 0x80
                         : (at[0] & 0xf0) == 0x70 && at[1] & 0x80;
}

/* Instructions looked at before flags are taken for live. */
enum { FLAGS_LOOKAHEAD = 4 };

bool translation_flags_dead(struct translation *t, uint32_t eip) {
    for (unsigned n = 0; n < FLAGS_LOOKAHEAD && !t->poll_in; n++) {
        gla_t gla = t->block->gla + (eip - t->block->eip);
        struct insn i;

        if ((gla ^ t->block->gla) & PAGE_MASK || page_rest(gla) < INSN_MAX_BYTES ||
            decode(t, bytes_at(t, gla), INSN_MAX_BYTES, &i) != INSN_OK ||
            eip + i.length - t->block->eip > UINT8_MAX)
            return false;
        if (insn_sets_flags(&i)) {
            /* poll_early() may show them before it */
            uint32_t end = eip + i.length + JCC_BYTES - t->block->eip;
            if (end > UINT8_MAX || page_rest(gla) < i.length + (unsigned)JCC_BYTES ||
                closes_loop(t, eip + i.length))
                return false;
            if (t->relies_on < end)
                t->relies_on = end;
            return true;
        }
        if (!insn_ignores_flags(&i))
            return false;
        eip += i.length;
    }
    return false;
}

/* An instruction that raises a fault whatever the state. */
static void lower_fault(struct translation *t, enum insn_status status) {
    exit_callout(t, status == INSN_TOO_LONG ? callout_gp : callout_undefined, 0);
    t->ended = true;
}

/* Goes on to the instruction at eip. */
static void advance(struct translation *t, uint32_t eip) {
    t->eip = eip;
    gla_t gla = translation_gla(t);
    const uint8_t *at = bytes_at(t, gla);

    t->shape = 0;
    if (page_rest(gla) < INSN_MAX_BYTES || t->poll_in == POLL_BEHIND_NEXT)
        return; /* right behind STI no template serves: translation_lower() */
    t->shape = insn_shape(t->key & KEY_CODE32, at);
    if (t->templates)
        template_prefetch(t);
    __builtin_prefetch(at + 64); /* code not read before */
}

/* Decodes the instruction at t->eip. The first of a block may reach into the second page.
 * False: stop before it (a fault is pending when it was the first). */
static bool next_insn(struct translation *t, unsigned index, struct insn *out,
                      enum insn_status *status) {
    struct vcpu *v = t->v;
    gla_t gla = translation_gla(t);
    uint32_t limit = t->block->cs_limit;
    unsigned room = page_rest(gla);

    if (t->eip > limit) {
        if (index == 0)
            vcpu_raise_error(v, VEC_GP, 0);
        return false;
    }
    if (room > INSN_MAX_BYTES)
        room = INSN_MAX_BYTES;
    const uint8_t *at = bytes_at(t, gla);
    *status = t->shape ? insn_decode_shape(t->bt->decoder, t->key & KEY_CODE32, at, t->shape, out)
                       : decode(t, at, room, out);
    /* a 16th byte can only be found out to be one once 15 have been fetched */
    if ((*status == INSN_PARTIAL || *status == INSN_TOO_LONG) && room < INSN_MAX_BYTES) {
        uint8_t bytes[INSN_MAX_BYTES];
        if (index != 0)
            return false;
        memcpy(bytes, at, room);
        if (!fetch_second_page(t, gla, bytes, room))
            return false;
        *status = decode(t, bytes, INSN_MAX_BYTES, out);
    }
    if (*status == INSN_PARTIAL)
        *status = INSN_TOO_LONG;
    if (*status != INSN_OK) {
        /* every byte may have had a part in it */
        unsigned end = t->eip - t->block->eip + (t->block->page2 ? (unsigned)INSN_MAX_BYTES : room);
        if (t->relies_on < end)
            t->relies_on = end;
        out->length = 1;
    }
    if (t->block->page2)
        exit_unless_second_page(t);
    if (limit - t->eip < (uint32_t)out->length - 1) {
        if (index == 0)
            vcpu_raise_error(v, VEC_GP, 0);
        return false;
    }
    return true;
}

static bool page_left(const struct translation *t) {
    const struct block *b = t->block;

    return ((b->gla + (t->eip - b->eip)) & PAGE_MASK) != (b->gla & PAGE_MASK);
}

/* Does an instruction that begins with this byte just compute? ALU operations, INC and DEC, TEST;
 * the others of a group do no more. */
static bool computes(unsigned opcode) {
    return (opcode < 0x40 && (opcode & 7) < 6) || (opcode & 0xf0) == 0x40 ||
           (opcode >= 0x80 && opcode <= 0x85) || (opcode & 0xfe) == 0xa8 || (opcode & 0xfe) == 0xf6;
}

/* Processors make one of an instruction that sets flags and the branch behind it (macrofusion:
 * Intel 64 and IA-32 Optimization Reference Manual; AMD calls it branch fusion). A poll between the
 * two would keep them from it in every loop, so it stands before both. Not before STI or what else
 * may let interrupts in: they would never be looked for. */
static void poll_early(struct translation *t) {
    if (t->poll_in || !computes(*bytes_at(t, translation_gla(t))) || !closes_loop(t, t->next_eip))
        return;
    exit_poll(t);
    t->polled = t->next_eip;
    t->has_polled = true;
}

/* What comes before each instruction's own translation. */
static void begin_insn(struct translation *t, unsigned length) {
    t->next_eip = t->eip + length;
    translation_mark(t, t->eip, FIX_NONE);
    if (t->poll_in && --t->poll_in == 0)
        exit_poll_sti(t, t->eip);
    poll_early(t);
}

/* False: there is no template for the instruction at t->eip. */
static bool emit_from_template(struct translation *t) {
    const struct insn_template *m = t->templates && t->shape ? template_find(t) : NULL;

    if (!m || UINT32_MAX - t->eip < m->length - 1u) /* #GP, where the segment ends within it */
        return false;
    begin_insn(t, m->length);
    template_emit(t, m, bytes_at(t, translation_gla(t)));
    return true;
}

/* The block's index-th. False: stop before it, as next_insn() says. */
static bool emit_decoded(struct translation *t, unsigned index) {
    struct insn *i = &t->bt->insns[index];
    enum insn_status status;

    if (!next_insn(t, index, i, &status))
        return false;
    begin_insn(t, i->length);
    if (status != INSN_OK) {
        lower_fault(t, status);
        return true;
    }
    t->bt->seen[i->mnemonic] = 1;
    translation_lower(t, i);
    if (t->templates && t->shape)
        template_learn(t, i);
    return true;
}

enum { OPCODE_STI = 0xfb };

/* Must the block end before the instruction at t->eip? */
static bool is_full(const struct translation *t) {
    return page_left(t) || t->block->page2 || t->eip - t->block->eip > 240 ||
           t->exit_count > BLOCK_EXITS - 3 || t->call_count == BLOCK_CALLS;
}

/* Is the block's n-th and last instruction STI? Its shadow would leave to the run loop each time.
 */
static bool ends_with_sti(const struct translation *t, unsigned n, unsigned max_insns) {
    return n && n + 1 == max_insns && *bytes_at(t, translation_gla(t)) == OPCODE_STI;
}

/* Emits instructions until the block ends. False: fault pending, nothing to run. */
static bool emit_body(struct translation *t, unsigned max_insns) {
    struct bt *bt = t->bt;
    unsigned n = 0;

    for (advance(t, t->eip); !t->ended; advance(t, t->next_eip)) {
        if (n == max_insns || is_full(t) || ends_with_sti(t, n, max_insns))
            break;
        if (!emit_from_template(t) && !emit_decoded(t, n))
            break;
        n++;
    }
    if (n == 0)
        return false;
    if (!t->ended) {
        translation_mark(t, t->eip, FIX_NONE);
        esp_settle(t);
        if (t->poll_in == POLL_BEHIND_NEXT) {
            exit_in_shadow(t);
        } else {
            if (t->poll_in)
                exit_poll_sti(t, t->eip);
            exit_direct(t, t->eip, emit_jmp(&t->e));
        }
    }
    t->block->length =
        (uint8_t)(t->relies_on > t->eip - t->block->eip ? t->relies_on : t->eip - t->block->eip);
    bt->stats.guest_insns += n;
    return true;
}

static void finish(struct translation *t) {
    struct bt *bt = t->bt;
    struct block *b = t->block;

    t->lags = false; /* a checked operand's instruction never does */
    exit_emit_exits(t);
    operand_emit_slow_paths(t);
    b->host_size = (uint32_t)(t->e.p - t->e.start);
    b->side_count = (uint16_t)t->side_count;
    b->exit_count = (uint8_t)t->exit_count;
    memcpy(block_exits(bt, b), t->exit_table, t->exit_count * sizeof(struct block_exit));
}

/* The arrays of a translation are filled as far as their counts say; clearing all of it for a block
 * of five instructions would cost as much as two of them. */
static void start(struct translation *t, struct bt *bt, struct vcpu *v, struct block *b) {
    memset(t, 0, offsetof(struct translation, slow));
    t->bt = bt;
    t->v = v;
    t->block = b;
    t->key = b->key;
    t->eip = b->eip;
    t->extends = heat_extends(bt, b);
    t->templates = template_allowed(t);
    t->e.start = t->e.p = bt_rw(bt, b->host);
    t->e.window = key_user(b->key) && host_user_fs() ? PREFIX_FS : PREFIX_GS;
    t->e.end = t->e.start + BLOCK_MAX_HOST_BYTES;
}

struct block *translate_block(struct bt *bt, struct vcpu *v, uint32_t page, uint32_t key) {
    struct translation t;
    const struct seg *cs = &v->seg[SEG_CS];
    const uint8_t *bytes = codepage_bytes(bt, page);
    gla_t gla = cs->base + v->eip;
    unsigned max_insns = key & KEY_SINGLE ? 1 : BLOCK_MAX_INSNS;

    for (;;) {
        struct block *b = tcache_reserve(bt);
        *b = (struct block){.eip = v->eip,
                            .gla = gla,
                            .key = key,
                            .cs_limit = cs->limit,
                            .page = page,
                            .host = bt->head,
                            .stubs = bt->stub_head,
                            .table = bt->table_head};
        start(&t, bt, v, b);
        t.page_bytes = bytes;
        entry_emit(&t);
        if (!emit_body(&t, max_insns)) {
            b->page = 0;
            return NULL;
        }
        uint32_t n = t.eip - b->eip; /* bytes that run, of those that it was made from */
        finish(&t);
        if (!t.e.overflow) {
            tcache_commit(bt, b);
            block_insert(bt, b);
            if (LOG_ON(LOG_IN_ASM | LOG_GUEST_ERRORS))
                host_log_guest_code(v, gla, bytes + (gla & ~PAGE_MASK), n, key & KEY_CODE32);
            if (LOG_ON(LOG_OUT_ASM))
                host_log_host_code(bt_rw(bt, b->host), b->host_size,
                                   (uint64_t)(uintptr_t)(bt->code.rx + b->host));
            return b;
        }
        if (max_insns == 1)
            host_panic("one guest instruction needs more than %d bytes", BLOCK_MAX_HOST_BYTES);
        max_insns /= 2;
    }
}
