/*
 * Memory operands.
 *
 * Direct form: the operand goes through the view's window,
 *     addr32 gs:[base + index*scale + disp]
 * and the hardware walks the host's page tables, which shadow the guest's.
 *
 * Checked form: an inline look-up in the software TLB that leaves the flags alone,
 *     lea   r8d, [ea]                 linear address
 *     mov   r11, rax; lahf; seto al   (flags saved)
 *     mov   r9d, r8d; shr r9d, 12; movzx r9d, r9b
 *     lea   r10d, [r8+size-1]; and r10d, fffff000h
 *     cmp   r10d, [tlb.tag + r9*4]    page of the last byte against the tag of the first's slot:
 *     jne   slow                      an access into the next page misses, too
 *     add al, 7fh; sahf; mov rax, r11 (flags restored)
 *     mov   r9, [tlb.addend + r9*8]
 *     op    [r9+r8]
 * and behind the block
 *   slow: restore flags; call prepare (R9 = pointer); op [r9]; call commit; jmp back
 * where prepare is mmu_prepare() and commit mmu_commit(). Under data breakpoints there is no
 * look-up, but a jump to `slow`.
 *
 * Segments: a flat one needs nothing; a wide one (4 GiB, any base) an addition; for any other the
 * segment thunk checks type and limit and adds the base (Intel SDM vol. 3A section 5.3). FS and GS
 * are taken for wide: their base is read through a pointer that faults when they are not, and the
 * instruction is then translated again with the thunk.
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

struct ea ea_of(const struct translation *t, const struct insn *i) {
    const struct insn_mem *m = &i->mem;

    return (struct ea){
        .base = (int8_t)(m->base == REG_NONE ? REG_NONE : reg_of_gpr((unsigned)m->base)),
        .index = (int8_t)(m->index == REG_NONE ? REG_NONE : reg_of_gpr((unsigned)m->index)),
        .scale = m->scale,
        .adsize = m->adsize,
        /* wraps, as the address does */
        .disp = (int32_t)((uint32_t)m->disp + (uint32_t)(m->base == ESP ? t->esp_delta : 0)),
    };
}

struct ea ea_reg(const struct translation *t, int host_reg, int32_t disp, unsigned adsize) {
    return (struct ea){.base = (int8_t)host_reg,
                       .index = REG_NONE,
                       .adsize = (uint8_t)adsize,
                       .disp = disp + (host_reg == REG_GUEST_ESP ? t->esp_delta : 0)};
}

static struct mop ea_mop(const struct ea *a) {
    return (struct mop){.base = a->base, .index = a->index, .scale = a->scale, .disp = a->disp};
}

void ea_emit(struct translation *t, const struct ea *a, int dst) {
    if (a->base == REG_NONE && a->index == REG_NONE) {
        emit_mov_ri(&t->e, dst, a->adsize == 2 ? (uint16_t)a->disp : (uint32_t)a->disp);
        return;
    }
    emit_lea(&t->e, dst, ea_mop(a));
    if (a->adsize == 2)
        emit_op_reg(&t->e, 0, 0x0fb7, dst, dst); /* movzx r32, r16 */
}

static struct mop mop_window(int base, int index, int32_t disp) {
    return (struct mop){
        .base = (int8_t)base, .index = (int8_t)index, .disp = disp, .window = true, .a32 = true};
}

/* Limit and type checks by the VMM: offset in R8 becomes the linear address. */
static void emit_segment_check(struct translation *t, const struct insn *i, unsigned seg,
                               unsigned size, unsigned access) {
    unsigned write = access & MMU_W ? 8u : 0u;

    emit_mov_ri(&t->e, R9,
                seg | write | (i->mem.aligned ? SEGMENT_ALIGNED : 0) |
                    (i->mem.maskable ? SEGMENT_MASKABLE : 0) | size << 16);
    emit_mov_ri(&t->e, R10, t->eip);
    emit_patch32(emit_call(&t->e), bt_rw(t->bt, t->bt->thunk_segment));
}

/* What the translation may take for granted about segment seg for this access. */
static bool is_flat(const struct translation *t, unsigned seg) {
    return seg < SEG_FS && (t->key & KEY_FLAT(seg)) && !(t->key & KEY_ALIGN);
}

static bool is_wide(const struct translation *t, unsigned seg, unsigned access) {
    if (t->key & KEY_ALIGN || (seg == SEG_CS && access & MMU_W))
        return false;
    return seg < SEG_FS ? (t->key & KEY_WIDE(seg)) != 0 : !t->hinted;
}

static bool needs_no_thunk(const struct translation *t, unsigned seg, unsigned access) {
    return is_wide(t, seg, access) || (is_flat(t, seg) && !(seg == SEG_CS && access & MMU_W));
}

bool operand_needs_no_thunk(const struct translation *t, const struct insn *i) {
    return needs_no_thunk(t, i->mem.seg, i->mem.write ? MMU_W : MMU_R);
}

bool operand_is_plain(const struct translation *t, unsigned seg, unsigned access) {
    return !t->checked && needs_no_thunk(t, seg, access);
}

/* Base of a wide segment into R9. */
static void emit_base(struct translation *t, unsigned seg) {
    if (seg < SEG_FS) {
        size_t at = offsetof(struct vcpu, seg_base) + 4 * (size_t)seg;
        emit_load(&t->e, R9, mop_base(REG_VCPU, (int32_t)at));
    } else {
        size_t at = offsetof(struct vcpu, fs_gs_base) + 8 * (size_t)(seg - SEG_FS);
        emit_load64(&t->e, R9, mop_base(REG_VCPU, (int32_t)at));
        emit_load(&t->e, R9, mop_base(R9, 0));
    }
}

/* The linear address in R8. */
static void emit_linear(struct translation *t, const struct insn *i, const struct ea *a,
                        unsigned seg, unsigned size, unsigned access) {
    ea_emit(t, a, R8);
    if (is_flat(t, seg) && !(seg == SEG_CS && access & MMU_W))
        return;
    if (is_wide(t, seg, access)) {
        emit_base(t, seg);
        emit_lea(&t->e, R8, (struct mop){.base = R8, .index = R9});
        return;
    }
    emit_segment_check(t, i, seg, size, access);
}

static void direct_access(struct translation *t, const struct insn *i, const struct ea *a,
                          unsigned seg, unsigned size, unsigned access, operand_use use,
                          unsigned aux) {
    struct mop m;

    if (is_flat(t, seg) && a->adsize == 4 && !(seg == SEG_CS && access & MMU_W)) {
        m = ea_mop(a);
        m.window = m.a32 = true;
    } else if (is_wide(t, seg, access) && a->adsize == 4 && a->index == REG_NONE) {
        emit_base(t, seg);
        m = a->base == REG_NONE ? mop_window(R9, REG_NONE, a->disp)
                                : mop_window(a->base, R9, a->disp);
    } else {
        emit_linear(t, i, a, seg, size, access);
        m = mop_window(R8, REG_NONE, 0);
    }
    use(t, i, &m, aux);
}

static void checked_access(struct translation *t, const struct insn *i, const struct ea *a,
                           unsigned seg, unsigned size, unsigned access, operand_use use,
                           unsigned aux) {
    struct emit *e = &t->e;
    struct slow_path *slow;
    uint8_t *branch;
    unsigned user = key_user(t->key);
    int32_t tlb = (int32_t)(offsetof(struct vcpu, tlb) + user * sizeof(struct soft_tlb));
    int32_t tags = tlb + (int32_t)(access & MMU_W ? offsetof(struct soft_tlb, wtag)
                                                  : offsetof(struct soft_tlb, rtag));
    int32_t addends = tlb + (int32_t)offsetof(struct soft_tlb, addend);

    if (t->slow_count == SLOW_PATHS) {
        e->overflow = true;
        return;
    }
    emit_linear(t, i, a, seg, size, access);
    emit_flags_save(e);
    if (t->key & KEY_WATCH) {
        branch = emit_jmp(e);
    } else {
        emit_mov_rr(e, R9, R8);
        emit_op_reg(e, 0, 0xc1, 5, R9); /* shr r9d, 12 */
        emit_u8(e, PAGE_SHIFT);
        emit_op_reg(e, OP_B8, 0x0fb6, R9, R9); /* movzx r9d, r9b */
        emit_lea(e, R10, mop_base(R8, (int32_t)size - 1));
        emit_op_reg(e, 0, 0x81, 4, R10); /* and r10d, PAGE_MASK */
        emit_u32(e, PAGE_MASK);
        struct mop tag = {.base = REG_VCPU, .index = R9, .scale = 2, .disp = tags};
        emit_op_mem(e, 0, 0x3b, R10, &tag); /* cmp r10d, [tag] */
        branch = emit_jcc(e, CC_NE);
        emit_flags_restore(e);
        emit_load64(e, R9,
                    (struct mop){.base = REG_VCPU, .index = R9, .scale = 3, .disp = addends});
        struct mop m = {.base = R9, .index = R8};
        use(t, i, &m, aux);
    }

    slow = &t->slow[t->slow_count++];
    *slow = (struct slow_path){.insn = i,
                               .use = use,
                               .aux = aux,
                               .eip = t->eip,
                               .next_eip = t->next_eip,
                               .incomplete = t->incomplete,
                               .size = (uint16_t)size,
                               .access = (uint8_t)access,
                               .branch = branch,
                               .resume = e->p};
}

/* FWAIT, where the operand is looked at before the instruction itself runs. */
static void emit_pending_fpu(struct translation *t, const struct insn *i, unsigned seg) {
    if (i->fpu_waits && (t->checked || !is_flat(t, seg) || seg == SEG_CS))
        emit_u8(&t->e, 0x9b);
}

void operand_access(struct translation *t, const struct insn *i, const struct ea *a, unsigned seg,
                    unsigned size, unsigned access, operand_use use, unsigned aux) {
    emit_pending_fpu(t, i, seg);
    if (t->checked)
        checked_access(t, i, a, seg, size, access, use, aux);
    else
        direct_access(t, i, a, seg, size, access, use, aux);
}

void operand_access_mem(struct translation *t, const struct insn *i, operand_use use,
                        unsigned aux) {
    struct ea a = ea_of(t, i);
    unsigned access = (i->mem.read ? MMU_R : 0u) | (i->mem.write ? MMU_W : 0u);

    operand_access(t, i, &a, i->mem.seg, i->mem.size, access, use, aux);
}

void operand_emit_slow_paths(struct translation *t) {
    struct emit *e = &t->e;

    for (unsigned k = 0; k < t->slow_count && !e->overflow; k++) {
        const struct slow_path *s = &t->slow[k];
        struct mop m = mop_base(R9, 0);

        translation_mark(t, s->eip, FIX_NONE);
        emit_bind(e, s->branch);
        emit_flags_restore(e);
        emit_mov_ri(e, R9,
                    s->size | (uint32_t)s->access << 16 |
                        (s->insn->mem.aligned ? PREPARE_ALIGNED : 0) |
                        (s->insn->mem.maskable ? PREPARE_MASKABLE : 0));
        emit_mov_ri(e, R10, s->eip);
        emit_patch32(emit_call(e), bt_rw(t->bt, t->bt->thunk_prepare));
        t->eip = s->eip;
        t->next_eip = s->next_eip;
        s->use(t, s->insn, &m, s->aux);
        if (s->access & MMU_W) {
            emit_mov_ri(e, R10, s->next_eip);
            emit_patch32(emit_call(e), bt_rw(t->bt, s->incomplete ? t->bt->thunk_commit_stay
                                                                  : t->bt->thunk_commit));
        }
        emit_patch32(emit_jmp(e), s->resume);
    }
}

void use_load32(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux) {
    (void)i;
    emit_op_mem(&t->e, 0, 0x8b, (int)aux, m);
}

void use_load16(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux) {
    (void)i;
    emit_op_mem(&t->e, 0, 0x0fb7, (int)aux, m);
}

void use_load8(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux) {
    (void)i;
    emit_op_mem(&t->e, 0, 0x0fb6, (int)aux, m);
}

void use_store_scratch(struct translation *t, const struct insn *i, const struct mop *m,
                       unsigned aux) {
    (void)i;
    emit_load(&t->e, R11, MOP_VCPU(scratch));
    emit_op_mem(&t->e, aux == 2 ? OP_16 : 0, 0x89, R11, m);
}

void load_value(struct translation *t, const struct insn *i, const struct ea *a, unsigned seg,
                unsigned size, int dst) {
    operand_access(t, i, a, seg, size, MMU_R, size == 4 ? use_load32 : use_load16, (unsigned)dst);
}
