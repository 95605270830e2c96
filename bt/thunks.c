/*
 * The few host routines that translated code and C code call each other through. They are emitted
 * at start-up in front of the translations.
 *
 *   enter(vcpu, host)   C -> translated code; returns when translated code leaves
 *   exit                saves the guest's registers, returns from enter
 *   exit_raw            the same with struct vcpu already up to date, but for the FPU state
 *   exit_done           the same with all of it up to date
 *   jump_miss           EIP in R8 is not in the jump cache
 *   jump_check          it is to be looked up there (entry.c)
 *   return_miss         EIP in R8 is not the one behind the call of the pair, or there was none:
 *                       empties the stack of return addresses, takes the jump cache
 *   leave               C code wants translated code to be left: goes on where onward.c says, or
 *                       by exit_done
 *   callout             calls R8(vcpu, R9), number R10 in the statistics; leaves if it says so
 *   prepare             checked operand: linear address R8, size and access R9, EIP R10;
 *                       returns the pointer in R9, or leaves with a fault
 *   commit              checked write done, next EIP in R10; leaves if code was overwritten
 *   commit_stay         the same where more of the instruction follows: never leaves
 *   native              starts user code natively (native.c), for enter
 *   resume              continues with the translation at v->resume behind it; RSP, R15 and RFLAGS
 *                       are set
 *   segment             offset R8, what R9, EIP R10; returns the linear address in R8, or leaves
 *
 * C code may clobber RAX RCX RDX RSI RDI R8-R11 and the flags; DF must be clear for it. It runs on
 * the run loop's stack; translated code has its own (returns.c).
 */
#include "bt/bt_priv.h"
#include "bt/emit.h"
#include "bt/native.h"
#include "bt/translation.h"
#include "mmu/mmu.h"
#include "vmm/activity.h"
#include "vmm/cpu.h"
#include "vmm/debug_trap.h"
#include "vmm/fpu_state.h"

static const int callee_saved[] = {RBX, RBP, R12, R13, R14, R15};
enum { CALLEE_SAVED = sizeof callee_saved / sizeof callee_saved[0] };

static void emit_save_gprs(struct emit *e) {
    for (unsigned n = 0; n < 8; n++)
        emit_store(e, mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, gpr) + 4 * n)),
                   reg_of_gpr(n));
}

static void emit_load_gprs(struct emit *e) {
    for (unsigned n = 0; n < 8; n++)
        emit_load(e, reg_of_gpr(n),
                  mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, gpr) + 4 * n)));
}

/* Live flags to v->flags through R11; then DF clear. */
static void emit_save_flags(struct emit *e) {
    emit_u8(e, 0x9c); /* pushfq */
    emit_pop(e, R11);
    emit_store(e, MOP_VCPU(flags), R11);
    emit_u8(e, 0xfc); /* cld */
}

/* FXSAVE64/FXRSTOR64 of v->fpu, where the host's C code makes it necessary. */
static void emit_fpu(struct emit *e, bool save) {
    struct mop m = MOP_VCPU(fpu);

    if (host_clobbers_fpu())
        emit_op_mem(e, OP_W, 0x0fae, save ? 0 : 1, &m);
}

/* Everything the guest has to struct vcpu / back. */
static void emit_save_all(struct emit *e) {
    emit_save_gprs(e);
    emit_save_flags(e);
    emit_fpu(e, true);
}

static void emit_load_all(struct emit *e) {
    emit_fpu(e, false);
    emit_load(e, RAX, MOP_VCPU(flags));
    emit_flags_set(e, RAX);
    emit_load_gprs(e);
    emit_load64(e, REG_JUMP_CACHE, MOP_VCPU(jc_now));
}

static uint32_t begin(struct bt *bt, struct emit *e) {
    while ((uintptr_t)e->p & 15)
        emit_u8(e, 0xcc);
    return (uint32_t)(e->p - bt->code.rw);
}

static void emit_c_call(struct emit *e, const void *fn) {
    emit_mov64_ri(e, RAX, (uint64_t)(uintptr_t)fn);
    emit_call_reg(e, RAX);
}

/* -- the C side of the thunks -- */

/* An operand that is to be aligned need not be: the misaligned SSE mode of processors that have it
 * (CPUID 80000001h ECX bit 7), AMD64 APM vol. 1 section 4.2.2. */
static bool alignment_masked(const struct vcpu *v, bool maskable) {
    return maskable && fpu_state_mxcsr(v) & MXCSR_MM;
}

static void *prepare(struct vcpu *v, uint32_t gla, uint32_t what, uint32_t eip) {
    unsigned access = (what >> 16 & 0xff) | (vcpu_user(v) ? MMU_USER : 0u);

    v->eip = eip;
    if (what & PREPARE_ALIGNED && gla & 15 && !alignment_masked(v, what & PREPARE_MASKABLE)) {
        vcpu_raise_error(v, VEC_GP, 0);
        return NULL;
    }
    debug_note_access(v, gla, what & 0xffff, access & MMU_W);
    return mmu_prepare(v, gla, what & 0xffff, access);
}

/* True: leave before the next instruction. */
static bool commit(struct vcpu *v, uint32_t next_eip) {
    if (!mmu_commit(v))
        return false;
    v->vm->bt->stats.smc_writes++;
    v->eip = next_eip;
    return true;
}

static bool segment(struct vcpu *v, uint32_t offset, uint32_t what, uint32_t eip) {
    gla_t gla;

    v->eip = eip;
    v->val = offset;
    if (what & SEGMENT_CODE_TARGET)
        return offset <= v->seg[SEG_CS].limit || vcpu_raise_error(v, VEC_GP, 0);
    if (what & SEGMENT_ALIGNED && !alignment_masked(v, what & SEGMENT_MASKABLE)
            ? !cpu_linear_parts(v, what & 7, offset, what >> 16, 1, what & 8, &gla)
            : !cpu_linear(v, what & 7, offset, what >> 16, what & 8, &gla))
        return false;
    v->val = gla;
    return true;
}

/* -- emission -- */

static void emit_enter(struct bt *bt, struct emit *e) {
    bt->thunk_enter = begin(bt, e);
    for (unsigned k = 0; k < CALLEE_SAVED; k++)
        emit_push(e, callee_saved[k]);
    emit_op_reg(e, OP_W, 0x83, 5, RSP); /* sub rsp, 8: 16-byte aligned */
    emit_u8(e, 8);
    emit_mov64_rr(e, REG_VCPU, RDI);
    emit_mov64_rr(e, R8, RSI);
    emit_store64(e, MOP_VCPU(host_rsp), RSP);
    emit_load64(e, RSP, MOP_VCPU(tc_stack));
    emit_load64(e, REG_EDGE, MOP_VCPU(edge));
    emit_load_all(e);
    emit_jmp_reg(e, R8);
}

static void emit_exits(struct bt *bt, struct emit *e) {
    bt->thunk_jump_miss = begin(bt, e);
    emit_store(e, MOP_VCPU(eip), R8);
    emit_store_imm(e, MOP_VCPU(exit_slot), EXIT_JUMP);
    bt->thunk_exit = (uint32_t)(e->p - bt->code.rw);
    emit_save_gprs(e);
    emit_save_flags(e);
    bt->thunk_exit_raw = (uint32_t)(e->p - bt->code.rw);
    emit_fpu(e, true);
    bt->thunk_exit_done = (uint32_t)(e->p - bt->code.rw);
    emit_load64(e, RSP, MOP_VCPU(host_rsp));
    emit_op_reg(e, OP_W, 0x83, 0, RSP);
    emit_u8(e, 8);
    for (unsigned k = CALLEE_SAVED; k > 0; k--)
        emit_pop(e, callee_saved[k - 1]);
    emit_u8(e, 0xc3);
}

/* A return came to the landing of another call or, above the last one, here. */
static void emit_return_miss(struct bt *bt, struct emit *e) {
    struct mop count = MOP_VCPU(return_misses);

    bt->thunk_return_miss = begin(bt, e);
    emit_load64(e, R11, count);
    emit_lea64(e, R11, mop_base(R11, 1));
    emit_store64(e, count, R11);
    emit_load64(e, RSP, MOP_VCPU(tc_stack));
    exit_emit_jump_cache(bt, e);
}

static void emit_jump_check(struct bt *bt, struct emit *e) {
    bt->thunk_jump_check = begin(bt, e);
    exit_emit_jump_cache(bt, e);
    bt->thunk_jump_check_end = (uint32_t)(e->p - bt->code.rw);
}

/* C code has said so, on the run loop's stack; struct vcpu is up to date. */
static void emit_leave(struct bt *bt, struct emit *e) {
    emit_patch32(emit_jmp(e), bt_rw(bt, bt->thunk_leave));
}

static void emit_onward(struct bt *bt, struct emit *e) {
    bt->thunk_leave = begin(bt, e);
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_c_call(e, (const void *)onward_go);
    emit_op_reg(e, OP_W, 0x85, RAX, RAX);
    emit_patch32(emit_jcc(e, CC_E), bt_rw(bt, bt->thunk_exit_done));
    emit_mov64_rr(e, R8, RAX);
    emit_load64(e, RSP, MOP_VCPU(tc_stack));
    emit_load_all(e);
    emit_jmp_reg(e, R8);
}

/* From the stack of translated code to the run loop's (16-byte aligned, as C wants it) and back.
 * Before anything is pushed: an overflow would empty the stack under the thunk's return address. */
static void emit_c_stack(struct emit *e) {
    emit_store64(e, MOP_VCPU(tc_rsp), RSP);
    emit_load64(e, RSP, MOP_VCPU(host_rsp));
}

/* On top stands the return address of the thunk. */
static void scrub(struct vcpu *v) {
    returns_scrub(v, v->tc_rsp + 8);
}

/* Return addresses that C code has made stale are replaced first. */
static void emit_tc_stack(struct emit *e) {
    struct mop stale = MOP_VCPU(returns_stale);

    emit_op_mem(e, 0, 0x80, 7, &stale); /* cmp byte [stale], 0 */
    emit_u8(e, 0);
    uint8_t *fresh = emit_short(e, 0x74); /* je */
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_c_call(e, (const void *)scrub);
    emit_bind_short(e, fresh);
    emit_load64(e, RSP, MOP_VCPU(tc_rsp));
}

static void emit_callout(struct bt *bt, struct emit *e) {
    bt->thunk_callout = begin(bt, e);
    emit_store(e, MOP_VCPU(activity), R10);
    emit_c_stack(e);
    emit_save_all(e);
    struct mop count = {.base = REG_VCPU,
                        .index = R10,
                        .scale = 3,
                        .disp = (int32_t)offsetof(struct vcpu, callout_count)};
    emit_op_mem(e, OP_W, 0xff, 0, &count); /* inc qword */
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_mov64_rr(e, RSI, R9);
    emit_call_reg(e, R8);
    emit_op_reg(e, 0, 0x85, RAX, RAX);
    uint8_t *leave = emit_jcc(e, CC_NE);
    emit_tc_stack(e);
    emit_load_all(e);
    emit_u8(e, 0xc3);
    emit_bind(e, leave);
    emit_leave(bt, e);
}

static void emit_prepare(struct bt *bt, struct emit *e) {
    bt->thunk_prepare = begin(bt, e);
    emit_store_imm(e, MOP_VCPU(activity), ACTIVITY_ACCESS);
    emit_c_stack(e);
    emit_save_all(e);
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_mov_rr(e, RSI, R8);
    emit_mov_rr(e, RDX, R9);
    emit_mov_rr(e, RCX, R10);
    emit_c_call(e, (const void *)prepare);
    emit_op_reg(e, OP_W, 0x85, RAX, RAX);
    uint8_t *leave = emit_jcc(e, CC_E);
    emit_store64(e, MOP_VCPU(pointer), RAX);
    emit_tc_stack(e);
    emit_load_all(e);
    emit_load64(e, R9, MOP_VCPU(pointer));
    emit_u8(e, 0xc3);
    emit_bind(e, leave);
    emit_leave(bt, e);
}

static void emit_commit(struct bt *bt, struct emit *e, bool stay) {
    uint8_t *leave = NULL;

    if (stay)
        bt->thunk_commit_stay = begin(bt, e);
    else
        bt->thunk_commit = begin(bt, e);
    emit_store_imm(e, MOP_VCPU(activity), ACTIVITY_ACCESS);
    emit_c_stack(e);
    emit_save_all(e);
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_mov_rr(e, RSI, R10);
    emit_c_call(e, (const void *)commit);
    if (!stay) {
        emit_u8(e, 0x84); /* test al, al */
        emit_u8(e, 0xc0);
        leave = emit_jcc(e, CC_NE);
    }
    emit_tc_stack(e);
    emit_load_all(e);
    emit_u8(e, 0xc3);
    if (leave) {
        emit_bind(e, leave);
        emit_leave(bt, e);
    }
}

static void emit_segment(struct bt *bt, struct emit *e) {
    bt->thunk_segment = begin(bt, e);
    emit_store_imm(e, MOP_VCPU(activity), ACTIVITY_SEGMENT);
    emit_c_stack(e);
    emit_save_all(e);
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_mov_rr(e, RSI, R8);
    emit_mov_rr(e, RDX, R9);
    emit_mov_rr(e, RCX, R10);
    emit_c_call(e, (const void *)segment);
    emit_u8(e, 0x84); /* test al, al */
    emit_u8(e, 0xc0);
    uint8_t *leave = emit_jcc(e, CC_E);
    emit_tc_stack(e);
    emit_load_all(e);
    emit_load(e, R8, MOP_VCPU(val));
    emit_u8(e, 0xc3);
    emit_bind(e, leave);
    emit_leave(bt, e);
}

static void emit_native(struct bt *bt, struct emit *e) {
    struct mop to = MOP_VCPU(resume);

    bt->thunk_native = begin(bt, e);
    emit_u8(e, 0xfc); /* cld */
    emit_mov64_rr(e, RDI, REG_VCPU);
    emit_c_stack(e);
    emit_c_call(e, (const void *)native_go);
    bt->thunk_resume = begin(bt, e);
    emit_load64(e, REG_JUMP_CACHE, MOP_VCPU(jc_now));
    emit_load64(e, REG_EDGE, MOP_VCPU(edge));
    emit_load_gprs(e);
    emit_op_mem(e, 0, 0xff, 4, &to); /* jmp [to] */
}

void thunks_emit(struct bt *bt) {
    struct emit e = {.start = bt->code.rw, .p = bt->code.rw, .end = bt->code.rw + PAGE_SIZE};

    emit_exits(bt, &e);
    emit_return_miss(bt, &e);
    emit_jump_check(bt, &e);
    emit_enter(bt, &e);
    emit_onward(bt, &e);
    emit_callout(bt, &e);
    emit_prepare(bt, &e);
    emit_commit(bt, &e, false);
    emit_commit(bt, &e, true);
    emit_segment(bt, &e);
    emit_native(bt, &e);
    if (e.overflow)
        host_panic("thunks do not fit");
    bt->blocks_start = PAGE_SIZE;
    bt->head = PAGE_SIZE;
    bt->stubs_start = bt->stub_head =
        (uint32_t)(bt->code.size - bt->code.size / STUBS_SHARE) & ~15u;
    bt->present.stubs = bt->stubs_start & PAGE_MASK;
}
