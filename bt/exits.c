/*
 * Leaving a block.
 *
 * A direct exit is a branch whose displacement chaining rewrites (block.c):
 *   not chained     jcc stub             stub: v->exit_slot = n; jmp exit (run.c knows the EIP)
 *   same page       jcc target
 *   another page    jcc check            check: code_tlb[target page] == id? jmp target : jmp stub
 * because the other page's mapping may have changed since. Kernel code on global pages needs no
 * check: INVLPG and global flushes unchain it (codepage.c). Hot user code may go past it (links.c).
 *
 * An indirect exit of hot code jumps through the jump cache (entry.c); any other looks the target
 * up there without touching the flags: movzx r9d, r8w; mov r10d, [r13+r9*4]; add minus_eip to EIP
 * by LEA; JRCXZ on the sum; jmp [r13+r9*8+host]. CALL and RET go in pairs with the host's
 * (returns.c): behind the host CALL stands a landing, which compares the EIP that RET has popped
 * with the one it stands for (landing.c), and takes the jump cache when they differ.
 *
 * After a kick R13 points at an unmapped page, which makes this load, and the poll before backward
 * branches, the places where interrupts are taken. Functions that only call forward could go on
 * for years without either: a kick also makes all returns that are due take the jump cache.
 */
#include "bt/lower.h"
#include "bt/native.h"
#include "bt/translation.h"

void exit_direct(struct translation *t, uint32_t target, uint8_t *branch) {
    t->exits[t->exit_count++] = (struct pending_exit){.target = target, .branch = branch};
}

/* Goes to the dispatcher; guest EIP is in v->eip already. */
static void emit_dispatch(struct translation *t) {
    emit_store_imm(&t->e, MOP_VCPU(exit_slot), 0);
    emit_patch32(emit_jmp(&t->e), bt_rw(t->bt, t->bt->thunk_exit));
}

void exit_emit_count(struct bt *bt, struct emit *e, struct mop counter) {
    if (!bt->vm->counting)
        return;
    emit_load64(e, R11, counter);
    emit_lea64(e, R11, mop_base(R11, 1));
    emit_store64(e, counter, R11);
}

void exit_emit_jump_cache(struct bt *bt, struct emit *e) {
    struct mop minus_eip = {.base = REG_JUMP_CACHE, .index = R9, .scale = 2};
    struct mop host = {.base = REG_JUMP_CACHE,
                       .index = R9,
                       .scale = 3,
                       .disp = (int32_t)offsetof(struct jump_cache, host)};

    emit_op_reg(e, 0, 0x0fb7, R9, R8); /* movzx r9d, r8w */
    emit_load(e, R10, minus_eip);
    emit_mov64_rr(e, R11, RCX);
    emit_lea(e, RCX, (struct mop){.base = R10, .index = R8});
    uint8_t *hit = emit_short(e, 0xe3); /* jrcxz */
    emit_mov64_rr(e, RCX, R11);
    emit_patch32(emit_jmp(e), bt_rw(bt, bt->thunk_jump_miss));
    emit_bind_short(e, hit);
    emit_mov64_rr(e, RCX, R11);
    emit_op_mem(e, 0, 0xff, 4, &host); /* jmp [host] */
}

static void jump_cache(struct translation *t) {
    struct mop door = {.base = REG_JUMP_CACHE,
                       .index = R9,
                       .scale = 3,
                       .disp = (int32_t)offsetof(struct jump_cache, door)};

    translation_mark(t, t->eip, FIX_EIP_R8);
    exit_emit_count(t->bt, &t->e, MOP_VCPU(indirect_jumps));
    if (!t->extends) {
        exit_emit_jump_cache(t->bt, &t->e);
        return;
    }
    emit_op_reg(&t->e, 0, 0x0fb7, R9, R8); /* movzx r9d, r8w */
    emit_op_mem(&t->e, 0, 0xff, 4, &door); /* jmp [door] */
}

void exit_indirect(struct translation *t) {
    struct emit *e = &t->e;

    t->ended = true;
    if (translation_single(t) || !(t->key & KEY_FLAT(SEG_CS))) {
        /* a CS limit has to be checked for the target: the dispatcher does */
        emit_store(e, MOP_VCPU(eip), R8);
        emit_dispatch(t);
        return;
    }
    jump_cache(t);
}

/* Can calls and returns go in pairs here? */
static bool pairs(const struct translation *t) {
    return !translation_single(t) && (t->key & KEY_FLAT(SEG_CS));
}

/* Whether a chain from this block to target must check the target page's mapping. */
static bool needs_check(const struct translation *t, uint32_t target) {
    const struct block *b = t->block;
    gla_t gla = target + (b->gla - b->eip);

    if (t->key & KEY_GLOBAL)
        return false;
    return (gla ^ b->gla) & PAGE_MASK || b->page2;
}

/* Behind a host CALL: the block goes on here, or ends. */
static void call_done(struct translation *t) {
    landing_emit(t);
    if (t->extends)
        return;
    exit_direct(t, t->next_eip, emit_jmp(&t->e));
    t->ended = true;
}

/* Where the target is a PC thunk the block leaves through a jump that an instruction may stand for.
 * False: it is none. */
static bool call_pc_thunk(struct translation *t, uint32_t target) {
    int reg = needs_check(t, target) ? pc_thunk_called(t, target) : -1;

    if (reg < 0)
        return false;
    exit_direct(t, target, emit_jmp(&t->e));
    struct pending_exit *x = &t->exits[t->exit_count - 1];
    x->pc_thunk = true;
    x->reg = (uint8_t)reg;
    x->esp_delta = t->esp_delta;
    x->eip = t->eip;
    x->next_eip = t->next_eip;
    x->resume = t->e.p;
    t->esp_delta += 4; /* RET */
    return true;
}

void exit_call_direct(struct translation *t, uint32_t target) {
    if (!pairs(t)) {
        t->ended = true;
        exit_direct(t, target, emit_jmp(&t->e));
        return;
    }
    if (call_pc_thunk(t, target))
        return;
    esp_settle(t);
    exit_direct(t, target, emit_call(&t->e));
    call_done(t);
}

void exit_call_indirect(struct translation *t) {
    if (!pairs(t)) {
        exit_indirect(t);
        return;
    }
    /* the jump stands behind the block, so that the landing follows the host CALL */
    t->calls[t->call_count++] = (struct pending_call){t->eip, emit_call(&t->e)};
    call_done(t);
}

static void emit_call_jumps(struct translation *t) {
    for (unsigned n = 0; n < t->call_count && !t->e.overflow; n++) {
        emit_bind(&t->e, t->calls[n].branch);
        t->eip = t->calls[n].eip;
        jump_cache(t);
    }
}

void exit_return(struct translation *t) {
    if (!pairs(t)) {
        exit_indirect(t);
        return;
    }
    t->ended = true;
    translation_mark(t, t->eip, FIX_EIP_R8);
    emit_u8(&t->e, 0xc3);
}

void exit_poll(struct translation *t) {
    if (!translation_single(t))
        emit_load(&t->e, R8, mop_base(REG_JUMP_CACHE, 0));
}

void exit_in_shadow(struct translation *t) {
    struct mop shadow = MOP_VCPU(shadow);

    emit_store_imm(&t->e, MOP_VCPU(eip), t->eip);
    emit_op_mem(&t->e, 0, 0xc6, 0, &shadow); /* mov byte [shadow], imm8 */
    emit_u8(&t->e, SHADOW_STI);
    emit_dispatch(t);
}

/* Goes on unless something waits for IF. RCX is in R9 then. */
static void emit_if_waiting(struct translation *t, uint8_t *go_on[2]) {
    struct emit *e = &t->e;

    emit_mov64_rr(e, R9, RCX);
    emit_load(e, RCX, MOP_VCPU(ifl));
    go_on[0] = emit_short(e, 0xe3); /* jrcxz */
    emit_load64(e, RCX, MOP_VCPU(sti_exits));
    go_on[1] = emit_short(e, 0xe3);
    emit_mov64_rr(e, RCX, R9);
}

static void emit_none_waiting(struct translation *t, uint8_t *go_on[2]) {
    emit_bind_short(&t->e, go_on[0]);
    emit_bind_short(&t->e, go_on[1]);
    emit_mov64_rr(&t->e, RCX, R9);
}

void exit_poll_sti(struct translation *t, uint32_t eip) {
    uint8_t *go_on[2];

    if (translation_single(t))
        return;
    emit_if_waiting(t, go_on);
    emit_store_imm(&t->e, MOP_VCPU(eip), eip);
    emit_dispatch(t);
    emit_none_waiting(t, go_on);
}

void exit_poll_in_shadow(struct translation *t) {
    uint8_t *go_on[2];

    if (translation_single(t))
        return;
    emit_if_waiting(t, go_on);
    exit_in_shadow(t);
    emit_none_waiting(t, go_on);
}

void exit_callout(struct translation *t, callout_fn fn, uint64_t arg) {
    struct emit *e = &t->e;

    esp_settle(t);
    emit_store_imm(e, MOP_VCPU(eip), t->eip);
    emit_store_imm(e, MOP_VCPU(next_eip), t->next_eip);
    emit_mov64_ri(e, R9, arg);
    callout_fn run = t->key & (KEY_SINGLE | KEY_FERR) ? fn : native_callout(fn);
    emit_mov64_ri(e, R8, (uint64_t)(uintptr_t)run);
    emit_mov_ri(e, R10, bt_callout_index(fn)); /* for -stats */
    emit_patch32(emit_call(e), bt_rw(t->bt, t->bt->thunk_callout));
}

/*
 * Code TLB entry of gla's page against an id, flags untouched: RCX goes to R9, *ok is the branch
 * for equal. Returns where the (negated) id stands.
 */
static uint8_t *emit_compare_page(struct translation *t, gla_t gla, uint32_t id, uint8_t **ok) {
    struct emit *e = &t->e;
    uint32_t slot = (gla >> PAGE_SHIFT) % CODE_TLB_ENTRIES;
    size_t at =
        offsetof(struct vcpu, code_tlb) + 4 * ((size_t)key_user(t->key) * CODE_TLB_ENTRIES + slot);
    uint8_t *imm;

    emit_mov64_rr(e, R9, RCX);
    emit_load(e, RCX, mop_base(REG_VCPU, (int32_t)at));
    emit_u8(e, 0x8d); /* lea ecx, [rcx + disp32] with the displacement always 32 bits wide */
    emit_u8(e, 0x89);
    imm = e->p;
    emit_u32(e, 0u - id);
    *ok = emit_short(e, 0xe3); /* jrcxz */
    return imm;
}

void exit_unless_second_page(struct translation *t) {
    struct emit *e = &t->e;
    const struct block *b = t->block;
    uint8_t *ok;

    if (t->key & KEY_GLOBAL && t->bt->pages[b->page2].global)
        return;
    if (translation_single(t))
        return; /* only the dispatcher comes here, and it has looked */
    emit_compare_page(t, (b->gla & PAGE_MASK) + PAGE_SIZE, t->bt->pages[b->page2].id, &ok);
    emit_mov64_rr(e, RCX, R9);
    emit_store_imm(e, MOP_VCPU(eip), b->eip);
    emit_dispatch(t);
    emit_bind_short(e, ok);
    emit_mov64_rr(e, RCX, R9);
}

/* Where in the block's host code. */
static uint16_t offset_of(const struct translation *t, const uint8_t *code) {
    return (uint16_t)(code - t->e.start);
}

/*
 * The chained jump into another page:
 *     mov r9, rcx; mov ecx, [code_tlb + slot]; lea ecx, [rcx - id]; jrcxz ok
 *     mov rcx, r9; jmp stub
 * ok: mov rcx, r9; jmp <patched>
 */
static void emit_page_check(struct translation *t, struct block_exit *x, uint8_t *stub) {
    struct emit *e = &t->e;
    const struct block *b = t->block;
    uint8_t *ok;

    /* no id is 1: block_chain() puts the right one here */
    x->check = offset_of(t, emit_compare_page(t, x->target + (b->gla - b->eip), 1, &ok));
    emit_mov64_rr(e, RCX, R9);
    emit_patch32(emit_jmp(e), stub);
    emit_bind_short(e, ok);
    emit_mov64_rr(e, RCX, R9);
    uint8_t *go = emit_jmp(e);
    emit_patch32(go, stub);
    x->patch = offset_of(t, go);
}

/* Exit n's, in the ring of stubs. */
static uint8_t *emit_stub(struct translation *t, unsigned n) {
    uint8_t *at = bt_rw(t->bt, block_stub(t->block, n));
    struct emit e = {.start = at, .p = at, .end = at + STUB_BYTES + EMIT_ROOM};

    emit_store_imm(&e, MOP_VCPU(exit_slot), EXIT_SLOT(block_number(t->bt, t->block), n));
    emit_patch32(emit_jmp(&e), bt_rw(t->bt, t->bt->thunk_exit));
    return at;
}

/* The call of a PC thunk, out of line; see pc_thunk.c. */
static void emit_pc_thunk_call(struct translation *t, const struct pending_exit *pending,
                               struct block_exit *x, uint8_t *stub) {
    struct emit *e = &t->e;

    t->eip = pending->eip;
    t->next_eip = pending->next_eip;
    emit_mov_ri(e, pending->reg, pending->next_eip);
    x->pc_thunk = true;
    x->branch = offset_of(t, pending->branch);
    x->door = offset_of(t, e->p);
    emit_bind(e, pending->branch);
    translation_mark(t, t->eip, FIX_NONE);
    emit_lea(e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, pending->esp_delta));
    uint8_t *call = emit_call(e);
    landing_emit(t);
    emit_lea(e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, -(pending->esp_delta + 4)));
    emit_patch32(emit_jmp(e), pending->resume);
    emit_bind(e, call);
    emit_page_check(t, x, stub);
}

void exit_emit_exits(struct translation *t) {
    struct emit *e = &t->e;
    bool chainable = !translation_single(t) && (t->key & KEY_FLAT(SEG_CS));

    emit_call_jumps(t);
    for (unsigned n = 0; n < t->exit_count && !e->overflow; n++) {
        struct block_exit *x = &t->exit_table[n];
        uint8_t *branch = t->exits[n].branch, *stub = emit_stub(t, n);

        *x = (struct block_exit){.target = t->exits[n].target};
        t->bt->stats.exits++;
        if (t->exits[n].pc_thunk) {
            emit_pc_thunk_call(t, &t->exits[n], x, stub);
        } else if (chainable && needs_check(t, x->target)) {
            emit_bind(e, branch);
            x->branch = offset_of(t, branch);
            x->door = offset_of(t, e->p);
            emit_page_check(t, x, stub);
        } else {
            emit_patch32(branch, stub);
            x->patch = chainable ? offset_of(t, branch) : 0;
        }
    }
}
