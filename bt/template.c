/*
 * See template.h. A template holds for a key, but not where the translation of an instruction
 * depends on more: on hints about its address, or on what stands before it (ESP that lags behind).
 */
#include "bt/template.h"

#include "bt/insn_shape.h"
#include "bt/lower.h"
#include "bt/translation.h"

/* What lowering gets in place of an instruction's numbers. No byte is the same in both, and each
 * pair has a positive and a negative number, in case that one is extended. */
static const uint32_t trial_disp[2] = {0x12345635, 0xedcba9b4},
                      trial_imm[2] = {0x2a3b4c53, 0xd5c4b3ca};

struct trial {
    uint8_t code[TEMPLATE_BYTES + 2 * EMIT_ROOM];
    unsigned size; /* 0: not to be had */
};

bool template_allowed(const struct translation *t) {
    return !t->extends && t->block->cs_limit == UINT32_MAX &&
           !(t->key & (KEY_SINGLE | KEY_ALIGN | KEY_WATCH | KEY_FERR));
}

static struct insn_template *slot_of(const struct translation *t) {
    uint64_t n = (t->shape * 0x9e3779b97f4a7c15u >> 32) ^ key_user(t->key);

    return &t->bt->templates[n & (TEMPLATES - 1)];
}

void template_prefetch(const struct translation *t) {
    __builtin_prefetch(slot_of(t));
}

static uint32_t key_for(const struct translation *t) {
    return t->key & ~(uint32_t)KEY_GLOBAL;
}

static bool is_for(const struct insn_template *m, const struct translation *t) {
    return m->shape == t->shape && m->key == key_for(t);
}

const struct insn_template *template_find(const struct translation *t) {
    const struct insn_template *m = slot_of(t);

    if ((m->shape ^ t->shape) | (m->key ^ key_for(t)) | (m->state ^ TEMPLATE_READY) ||
        t->e.end - t->e.p < TEMPLATE_ROOM || hint_get(t->bt, translation_gla(t)))
        return NULL;
    return m;
}

static uint32_t load32(const uint8_t *p) {
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return value;
}

/* What stands in the template at `at`, with the bits in mask from the guest's instruction. */
static void put(uint8_t *code, const struct insn_template *m, unsigned at, const uint8_t *guest,
                uint32_t mask) {
    uint32_t value = (load32(m->code + at) & ~mask) | (load32(guest) & mask);

    memcpy(code + at, &value, sizeof value);
}

/* Without branches, which no processor could predict: both numbers are always put in, if only as
 * what stands there. */
void template_emit(struct translation *t, const struct insn_template *m, const uint8_t *bytes) {
    uint8_t *p = t->e.p;

    memcpy(p, m->code, TEMPLATE_BYTES);
    put(p, m, m->disp_at, bytes + m->disp_from, m->disp_mask);
    put(p, m, m->imm_at, bytes + m->imm_from, m->imm_mask);
    t->e.p = p + m->size;
}

/* Instructions of which nothing but their bytes and the key decides what they become. */
static bool is_candidate(const struct translation *t, const struct insn *i) {
    lower_fn lower = i->row->lower;

    return !t->hinted && !t->ended && shape_fits(t->shape, i) && i->disp_bytes != 2 &&
           (lower == lower_copy || lower == lower_mov || lower == lower_lea ||
            lower == lower_push || lower == lower_pop);
}

static uint32_t trial_number(uint32_t number, unsigned bytes, bool with_sign) {
    unsigned spare = 32 - 8 * bytes;

    if (bytes == 0)
        return 0;
    return with_sign ? (uint32_t)((int32_t)(number << spare) >> spare) : number << spare >> spare;
}

/* Lowers i with the k-th numbers. t is as before in the end. */
static void try_lowering(struct translation *t, const struct insn *i, unsigned k,
                         struct trial *trial) {
    uint8_t before[offsetof(struct translation, slow)];
    unsigned counts = t->side_count + t->slow_count + t->exit_count + t->call_count;
    struct insn other = *i;

    memcpy(before, t, sizeof before);
    if (i->mem.present)
        other.mem.disp = (int32_t)trial_number(trial_disp[k], i->disp_bytes, true);
    other.imm = trial_number(trial_imm[k], i->imm_bytes, i->imm_signed);
    t->e.start = t->e.p = trial->code;
    t->e.end = trial->code + sizeof trial->code;
    t->eip += 16 * k;
    t->next_eip += 16 * k;
    translation_lower(t, &other);
    trial->size = (unsigned)(t->e.p - t->e.start);
    if (t->e.overflow || t->ended || t->hinted || trial->size > TEMPLATE_BYTES ||
        counts != t->side_count + t->slow_count + t->exit_count + t->call_count)
        trial->size = 0;
    memcpy(t, before, sizeof before);
}

/* Are the k-th trial's bytes `at` its number? */
static bool holds(const struct trial *trial, unsigned at, const uint32_t *number, unsigned bytes) {
    return bytes != 0 && at + bytes <= trial[0].size &&
           memcmp(trial[0].code + at, &number[0], bytes) == 0 &&
           memcmp(trial[1].code + at, &number[1], bytes) == 0;
}

static uint32_t mask_of(unsigned bytes) {
    return (uint32_t)((1ull << 8 * bytes) - 1);
}

/* Where two trials differ must be i's displacement and behind it the immediate, once each. */
static bool find_numbers(struct insn_template *m, const struct trial *trial, const struct insn *i) {
    unsigned disp_bytes = i->disp_bytes, imm_bytes = i->imm_bytes; /* still to be found */

    if (trial[0].size == 0 || trial[0].size != trial[1].size)
        return false;
    m->disp_at = 0;
    m->imm_at = (uint8_t)trial[0].size;
    for (unsigned at = 0; at < trial[0].size;) {
        if (trial[0].code[at] == trial[1].code[at]) {
            at++;
        } else if (holds(trial, at, trial_disp, disp_bytes)) {
            m->disp_at = (uint8_t)at;
            at += disp_bytes;
            disp_bytes = 0;
        } else if (disp_bytes == 0 && holds(trial, at, trial_imm, imm_bytes)) {
            m->imm_at = (uint8_t)at;
            at += imm_bytes;
            imm_bytes = 0;
        } else {
            return false;
        }
    }
    return disp_bytes == 0 && imm_bytes == 0;
}

static void make(struct insn_template *m, struct translation *t, const struct insn *i) {
    struct trial trial[2] = {0};

    m->state = TEMPLATE_NEVER;
    try_lowering(t, i, 0, &trial[0]);
    try_lowering(t, i, 1, &trial[1]);
    if (!find_numbers(m, trial, i))
        return;
    m->length = i->length;
    m->disp_from = i->lead_bytes;
    m->disp_mask = mask_of(i->disp_bytes);
    m->imm_from = i->lead_bytes + i->disp_bytes;
    m->imm_mask = mask_of(i->imm_bytes);
    m->size = (uint8_t)trial[0].size;
    memcpy(m->code, trial[0].code, TEMPLATE_BYTES);
    m->state = TEMPLATE_READY;
}

void template_learn(struct translation *t, const struct insn *i) {
    struct insn_template *m = slot_of(t);

    if (!is_candidate(t, i))
        return;
    if (!is_for(m, t))
        *m = (struct insn_template){.shape = t->shape, .key = key_for(t), .state = TEMPLATE_SEEN};
    else if (m->state == TEMPLATE_SEEN)
        make(m, t, i);
}
