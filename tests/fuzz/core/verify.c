/*
 * Verification of translations (verify.h). A linear sweep over the block that keeps track of what
 * the scratch registers point to; where another way leads in it forgets.
 */
#include "tests/fuzz/core/verify.h"

#include <capstone/capstone.h>

#include "bt/key.h"
#include "bt/regs.h"
#include "mmu/mmu.h"
#include "tests/fuzz/core/input.h"

/* What a register may be used for as an address. */
enum pointer { NOTHING, FROM_TLB, FROM_PREPARE, SEGMENT_BASE, WINDOW, LOW_32, EIP_DIFFERENCE };

struct place {
    enum pointer is;
    unsigned size; /* bytes that may be accessed */
    bool write;
};

struct sweep {
    struct bt *bt;
    const struct block *block;
    cs_insn *insn;
    const cs_x86 *x86;
    uint32_t at;          /* offset of the instruction in the block */
    uint32_t behind_call; /* of what stands behind the last CALL */
    struct place r9, rsi, rdi;
    bool window_in_r8;
    unsigned lookup_size; /* of the TLB look-up at work */
    bool lookup_write;
    uint32_t r9_imm;
    uint8_t what[BLOCK_MAX_HOST_BYTES]; /* IS_* */
    uint32_t targets[BLOCK_MAX_HOST_BYTES / 2];
    unsigned target_count;
};

enum { IS_START = 1, IS_TARGET = 2 };

static csh capstone;
static struct sweep sweep;

static _Noreturn void fail(const struct sweep *s, const char *why) {
    for (unsigned k = 0; k < s->insn->size; k++)
        fprintf(stderr, "%02x ", s->insn->bytes[k]);
    BROKEN("%s: %s %s at +%x of a block with key %x", why, s->insn->mnemonic, s->insn->op_str,
           s->at, s->block->key);
}

/* -- instructions that have no business in a translation -- */

static const x86_insn forbidden[] = {
    X86_INS_SYSCALL,  X86_INS_SYSENTER, X86_INS_SYSEXIT,   X86_INS_SYSRET,   X86_INS_CPUID,
    X86_INS_RDTSCP,   X86_INS_RDPMC,    X86_INS_RDMSR,     X86_INS_WRMSR,    X86_INS_SGDT,
    X86_INS_SIDT,     X86_INS_SLDT,     X86_INS_STR,       X86_INS_SMSW,     X86_INS_LMSW,
    X86_INS_LAR,      X86_INS_LSL,      X86_INS_VERR,      X86_INS_VERW,     X86_INS_LGDT,
    X86_INS_LIDT,     X86_INS_LLDT,     X86_INS_LTR,       X86_INS_INVLPG,   X86_INS_WBINVD,
    X86_INS_INVD,     X86_INS_CLTS,     X86_INS_SWAPGS,    X86_INS_XGETBV,   X86_INS_XSETBV,
    X86_INS_XSAVE,    X86_INS_XSAVE64,  X86_INS_XRSTOR,    X86_INS_XRSTOR64, X86_INS_FXSAVE,
    X86_INS_FXSAVE64, X86_INS_FXRSTOR,  X86_INS_FXRSTOR64, X86_INS_FNSTENV,  X86_INS_FNSAVE,
    X86_INS_RDFSBASE, X86_INS_RDGSBASE, X86_INS_WRFSBASE,  X86_INS_WRGSBASE, X86_INS_RDRAND,
    X86_INS_RDSEED,   X86_INS_IN,       X86_INS_OUT,       X86_INS_INSB,     X86_INS_INSW,
    X86_INS_INSD,     X86_INS_OUTSB,    X86_INS_OUTSW,     X86_INS_OUTSD,    X86_INS_CLI,
    X86_INS_STI,      X86_INS_HLT,      X86_INS_POPF,      X86_INS_POPFD,    X86_INS_POPFQ,
    X86_INS_PUSHF,    X86_INS_LDS,      X86_INS_LES,       X86_INS_LFS,      X86_INS_LGS,
    X86_INS_LSS,      X86_INS_INT,      X86_INS_INT1,      X86_INS_INT3,     X86_INS_INTO,
    X86_INS_UD2,      X86_INS_ENTER,    X86_INS_LEAVE,     X86_INS_XLATB,    X86_INS_CMPXCHG16B,
    X86_INS_MONITOR,  X86_INS_MWAIT,    X86_INS_MOVSQ,     X86_INS_STOSQ,    X86_INS_LODSQ,
    X86_INS_CMPSQ,    X86_INS_SCASQ,    X86_INS_IRET,      X86_INS_IRETD,    X86_INS_IRETQ,
    X86_INS_LJMP,     X86_INS_LCALL,    X86_INS_RETF,      X86_INS_RETFQ,    X86_INS_LOOP,
    X86_INS_LOOPE,    X86_INS_LOOPNE,   X86_INS_ARPL,      X86_INS_BOUND,
};

static bool in_group(const cs_insn *i, uint8_t group) {
    for (unsigned k = 0; k < i->detail->groups_count; k++)
        if (i->detail->groups[k] == group)
            return true;
    return false;
}

static bool is_forbidden[X86_INS_ENDING];

static void check_kind(const struct sweep *s) {
    if (s->insn->id == X86_INS_RDTSC && s->block->key & KEY_CPL)
        fail(s, "the TSC without a look at CR4.TSD");
    if (is_forbidden[s->insn->id])
        fail(s, "forbidden instruction");
    if (in_group(s->insn, X86_GRP_PRIVILEGE) || in_group(s->insn, X86_GRP_INT) ||
        in_group(s->insn, X86_GRP_IRET) || in_group(s->insn, X86_GRP_VM) ||
        in_group(s->insn, X86_GRP_AVX) || in_group(s->insn, X86_GRP_AVX2))
        fail(s, "instruction of a forbidden group");
}

/* -- registers -- */

static bool is_mov_load(const struct sweep *s, x86_reg to, size_t field) {
    const cs_x86_op *op = s->x86->operands;

    return s->insn->id == X86_INS_MOV && s->x86->op_count == 2 && op[0].type == X86_OP_REG &&
           op[0].reg == to && op[1].type == X86_OP_MEM && op[1].mem.base == X86_REG_R15 &&
           op[1].mem.index == X86_REG_INVALID && op[1].mem.disp == (int64_t)field;
}

static bool scratch64(x86_reg r) {
    return r == X86_REG_R8 || r == X86_REG_R9 || r == X86_REG_R10 || r == X86_REG_R11;
}

/* JRCXZ looks at 64 bits of something that is no guest register's value; RCX comes back from a
 * scratch register. */
static bool compares_with_rcx(const struct sweep *s) {
    const cs_x86_op *from = &s->x86->operands[1];
    x86_reg base = from->type == X86_OP_MEM ? from->mem.base : X86_REG_INVALID;

    return (s->insn->id == X86_INS_MOV && base == X86_REG_R15) ||
           (s->insn->id == X86_INS_LEA && base == X86_REG_RCX);
}

static void check_written(const struct sweep *s, x86_reg r) {
    const cs_x86_op *op = s->x86->operands;

    switch ((int)r) {
    case X86_REG_R13:
        if (!is_mov_load(s, r, offsetof(struct vcpu, jc_sti)))
            fail(s, "R13 written");
        break;
    case X86_REG_R13D:
    case X86_REG_R13W:
    case X86_REG_R13B:
    case X86_REG_R14:
    case X86_REG_R14D:
    case X86_REG_R14W:
    case X86_REG_R14B:
    case X86_REG_R15:
    case X86_REG_R15D:
    case X86_REG_R15W:
    case X86_REG_R15B:
    case X86_REG_RSP:
    case X86_REG_ESP:
    case X86_REG_SP:
    case X86_REG_SPL:
    case X86_REG_R12:
        fail(s, "a register of the VMM's written");
        break;
    case X86_REG_RAX:
    case X86_REG_RCX:
    case X86_REG_RDX:
    case X86_REG_RBX:
    case X86_REG_RBP:
    case X86_REG_RSI:
    case X86_REG_RDI:
        if (s->insn->id == X86_INS_LEA && (r == X86_REG_RSI || r == X86_REG_RDI))
            break; /* pointers: note_lea */
        if (r == X86_REG_RCX && compares_with_rcx(s))
            break;
        if (s->insn->id != X86_INS_MOV || op[1].type != X86_OP_REG || !scratch64(op[1].reg))
            fail(s, "64 bits of a guest register written");
        break;
    default:
        break;
    }
}

static bool system_register(x86_reg r) {
    return r == X86_REG_CS || r == X86_REG_DS || r == X86_REG_ES || r == X86_REG_FS ||
           r == X86_REG_GS || r == X86_REG_SS || (r >= X86_REG_CR0 && r <= X86_REG_CR15) ||
           (r >= X86_REG_DR0 && r <= X86_REG_DR15);
}

/* -- memory -- */

static bool vcpu_field(const cs_x86_op *op) {
    return op->mem.disp >= 0 && op->mem.disp + op->size <= (int64_t)sizeof(struct vcpu);
}

/* An array of both software TLBs: disp of the one for CPL 0-2, of the one for CPL 3. */
static bool tlb_array(int64_t disp, size_t array) {
    size_t at = offsetof(struct vcpu, tlb) + array;

    return disp == (int64_t)at || disp == (int64_t)(at + sizeof(struct soft_tlb));
}

static void check_vcpu(const struct sweep *s, const cs_x86_op *op) {
    bool ok = false;

    if (op->mem.index == X86_REG_INVALID)
        ok = vcpu_field(op);
    else if (op->mem.index == X86_REG_R9 && op->mem.scale == 4)
        ok = s->insn->id == X86_INS_CMP &&
             (tlb_array(op->mem.disp, offsetof(struct soft_tlb, rtag)) ||
              tlb_array(op->mem.disp, offsetof(struct soft_tlb, wtag)));
    else if (op->mem.index == X86_REG_R9 && op->mem.scale == 8)
        ok = s->insn->id == X86_INS_MOV &&
             tlb_array(op->mem.disp, offsetof(struct soft_tlb, addend));
    if (!ok)
        fail(s, "access outside struct vcpu");
}

/* Capstone takes some for writes that are none: F7 /1, loads of x87 state. */
static bool writes(const struct sweep *s, const cs_x86_op *op) {
    unsigned id = s->insn->id;

    return op->access & CS_AC_WRITE && id != X86_INS_TEST && id != X86_INS_FRSTOR &&
           id != X86_INS_FLDENV;
}

/* Is this one of the prefixes in front of REX? Capstone keeps only some of them. */
static bool has_byte_in_front(const struct sweep *s, uint8_t prefix) {
    static const uint8_t prefixes[] = {0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};

    for (unsigned k = 0; k < 5; k++) {
        if (s->insn->bytes[k] == prefix)
            return true;
        if (!memchr(prefixes, s->insn->bytes[k], sizeof prefixes))
            return false;
    }
    return false;
}

/* Bytes, where Capstone is wrong: what an operand-size prefix does to an x87 image or beside
 * XACQUIRE and XRELEASE, the status word, scalar comparisons, and MMX unpacking, of which the
 * manual says that it reads half a register. */
static unsigned accessed(const struct sweep *s, const cs_x86_op *op) {
    bool half = s->x86->prefix[2] == 0x66;

    if (s->insn->id == X86_INS_FLDENV)
        return half ? 14 : 28;
    if (s->insn->id == X86_INS_FRSTOR)
        return half ? 94 : 108;
    if (s->insn->id == X86_INS_FNSTSW)
        return 2;
    if (op->size == 4 && s->x86->opcode[0] != 0x0f && has_byte_in_front(s, 0x66) &&
        (has_byte_in_front(s, 0xf2) || has_byte_in_front(s, 0xf3)))
        return 2;
    if (s->insn->id == X86_INS_COMISS || s->insn->id == X86_INS_UCOMISS)
        return 4;
    if (s->insn->id == X86_INS_COMISD || s->insn->id == X86_INS_UCOMISD)
        return 8;
    if (op->size == 8 && (s->insn->id == X86_INS_PUNPCKLBW || s->insn->id == X86_INS_PUNPCKLWD ||
                          s->insn->id == X86_INS_PUNPCKLDQ))
        return 4;
    return op->size;
}

static void check_pointer(const struct sweep *s, const cs_x86_op *op, const struct place *p,
                          enum pointer a, enum pointer b) {
    if (p->is != a && p->is != b)
        fail(s, "access through a pointer of unknown origin");
    if (accessed(s, op) > p->size)
        fail(s, "access to more bytes than were checked");
    if (writes(s, op) && !p->write)
        fail(s, "write where only reading was checked");
}

static void check_window(const struct sweep *s, const cs_x86_op *op) {
    bool low = op->mem.base == X86_REG_RSI && op->mem.index == X86_REG_INVALID &&
               op->mem.disp == 0 && s->rsi.is == LOW_32;

    if (s->x86->addr_size != 4 && !low)
        fail(s, "access through the window with a 64-bit address");
}

static bool is_string(const cs_insn *i) {
    switch (i->id) {
    case X86_INS_MOVSB:
    case X86_INS_MOVSW:
    case X86_INS_MOVSD:
    case X86_INS_STOSB:
    case X86_INS_STOSW:
    case X86_INS_STOSD:
    case X86_INS_LODSB:
    case X86_INS_LODSW:
    case X86_INS_LODSD:
    case X86_INS_CMPSB:
    case X86_INS_CMPSW:
    case X86_INS_CMPSD:
    case X86_INS_SCASB:
    case X86_INS_SCASW:
    case X86_INS_SCASD:
        /* SSE's MOVSD and CMPSD have an XMM operand */
        return i->detail->x86.opcode[0] != 0x0f;
    default:
        return false;
    }
}

/* A load that faults unless EIP is the block's or the one behind a CALL. */
static void check_edge(const struct sweep *s, const cs_x86_op *op) {
    uint32_t end = s->at + s->insn->size;
    x86_reg to = s->x86->operands[0].reg;

    if (s->insn->id != X86_INS_MOVZX || op->mem.index != X86_REG_R9 || op->mem.scale != 1 ||
        op->mem.disp != 0 || op->size != 1 || s->r9.is != EIP_DIFFERENCE)
        fail(s, "the edge is not for EIP");
    if (!(to == X86_REG_R9D && s->block->has_check && end == CHECK_BYTES) &&
        !(to == X86_REG_R10D && end == s->behind_call + CHECK_BYTES))
        fail(s, "the edge beside a check in front of a block and landings");
}

static void check_memory(const struct sweep *s, const cs_x86_op *op) {
    bool plain = op->mem.index == X86_REG_INVALID && op->mem.disp == 0;
    bool by_fs = key_user(s->block->key) && host_user_fs();

    if (s->insn->id == X86_INS_LEA)
        return;
    if (op->mem.segment == (by_fs ? X86_REG_FS : X86_REG_GS) ||
        s->x86->prefix[1] == (by_fs ? 0x64 : 0x65)) {
        check_window(s, op);
        return;
    }
    if (s->x86->prefix[1] || s->x86->addr_size != 8)
        fail(s, "segment override or 32-bit address outside the window");
    switch ((int)op->mem.base) {
    case X86_REG_R15:
        check_vcpu(s, op);
        break;
    case X86_REG_R13:
        if (s->insn->id != X86_INS_JMP && !plain &&
            !(op->mem.index == X86_REG_R9 && op->mem.scale == 4 && op->mem.disp == 0))
            fail(s, "access beside the jump cache");
        break;
    case X86_REG_R14:
        check_edge(s, op);
        break;
    case X86_REG_R9:
        if (op->mem.index == X86_REG_R8 && op->mem.scale == 1 && op->mem.disp == 0) {
            check_pointer(s, op, &s->r9, FROM_TLB, FROM_TLB);
        } else if (plain && s->r9.is == SEGMENT_BASE) {
            if (s->insn->id != X86_INS_MOV || op->access & CS_AC_WRITE || op->size != 4)
                fail(s, "a segment's base is not just read");
        } else if (plain) {
            check_pointer(s, op, &s->r9, FROM_PREPARE, FROM_PREPARE);
        } else {
            fail(s, "access beside a pointer");
        }
        break;
    case X86_REG_RSI:
    case X86_REG_RDI: {
        const struct place *p = op->mem.base == X86_REG_RSI ? &s->rsi : &s->rdi;
        if (!plain)
            fail(s, "access beside a pointer");
        if (is_string(s->insn) ? p->is != WINDOW : p->is == WINDOW)
            fail(s, "string instruction outside the window");
        if (p->is != WINDOW)
            check_pointer(s, op, p, FROM_TLB, FROM_PREPARE);
        break;
    }
    default:
        fail(s, "access through a guest register");
    }
}

/* -- what registers come to point to -- */

static bool same_register(x86_reg r, x86_reg r64, x86_reg r32) {
    return r == r64 || r == r32;
}

static void note_lea(struct sweep *s) {
    const cs_x86_op *to = &s->x86->operands[0], *from = &s->x86->operands[1];
    bool base_r9 = from->mem.base == X86_REG_R9 && from->mem.disp == 0;
    bool pair = base_r9 && from->mem.index == X86_REG_R8 && from->mem.scale == 1;
    struct place *p = same_register(to->reg, X86_REG_RSI, X86_REG_ESI)   ? &s->rsi
                      : same_register(to->reg, X86_REG_RDI, X86_REG_EDI) ? &s->rdi
                                                                         : NULL;

    if (to->reg == X86_REG_R10D && from->mem.base == X86_REG_R8 &&
        from->mem.index == X86_REG_INVALID)
        s->lookup_size = (unsigned)from->mem.disp + 1;
    if (!p)
        return;
    bool wide = to->reg == X86_REG_RSI || to->reg == X86_REG_RDI;
    if (wide && pair && s->r9.is == FROM_TLB)
        *p = s->r9;
    else if (wide && base_r9 && from->mem.index == X86_REG_INVALID && s->r9.is == FROM_PREPARE)
        *p = s->r9;
    else if (wide && from->mem.base == to->reg && from->mem.index == X86_REG_R8 &&
             from->mem.scale == 1 && from->mem.disp == 0 && s->window_in_r8)
        p->is = WINDOW;
    else if (!wide)
        p->is = LOW_32;
    else
        fail(s, "a guest register becomes a pointer");
}

static void note_r9(struct sweep *s) {
    const cs_x86_op *from = &s->x86->operands[1];
    bool is_mem = s->insn->id == X86_INS_MOV && from->type == X86_OP_MEM;

    s->r9 = (struct place){NOTHING, 0, false};
    s->r9_imm = from->type == X86_OP_IMM ? (uint32_t)from->imm : 0;
    if (s->insn->id == X86_INS_LEA && from->mem.base == X86_REG_R8 &&
        from->mem.index == X86_REG_INVALID)
        s->r9.is = EIP_DIFFERENCE;
    if (!is_mem || from->mem.base != X86_REG_R15 || from->size != 8)
        return;
    if (from->mem.index == X86_REG_R9)
        s->r9 = (struct place){FROM_TLB, s->lookup_size, s->lookup_write};
    else if (from->mem.disp == (int64_t)offsetof(struct vcpu, fs_gs_base) ||
             from->mem.disp == (int64_t)offsetof(struct vcpu, fs_gs_base) + 8)
        s->r9.is = SEGMENT_BASE;
}

static void note_cmp(struct sweep *s) {
    const cs_x86_op *op = &s->x86->operands[1];

    if (s->x86->op_count == 2 && op->type == X86_OP_MEM && op->mem.base == X86_REG_R15 &&
        op->mem.index == X86_REG_R9)
        s->lookup_write = tlb_array(op->mem.disp, offsetof(struct soft_tlb, wtag));
}

static void note_written(struct sweep *s, x86_reg r) {
    if (same_register(r, X86_REG_R9, X86_REG_R9D))
        note_r9(s);
    if (same_register(r, X86_REG_R8, X86_REG_R8D))
        s->window_in_r8 = is_mov_load(s, r, offsetof(struct vcpu, window_base)) ||
                          is_mov_load(s, r, offsetof(struct vcpu, window_base) + 8);
    if (s->insn->id == X86_INS_LEA)
        return;
    if (same_register(r, X86_REG_RSI, X86_REG_ESI))
        s->rsi.is = NOTHING;
    if (same_register(r, X86_REG_RDI, X86_REG_EDI))
        s->rdi.is = NOTHING;
}

/* Guest registers that hold pointers must not be seen outside the instruction at hand. */
static void check_lent(const struct sweep *s) {
    if ((s->rsi.is != NOTHING && s->rsi.is != LOW_32) ||
        (s->rdi.is != NOTHING && s->rdi.is != LOW_32))
        fail(s, "a guest register still holds a pointer");
}

/* -- branches -- */

static void forget(struct sweep *s) {
    s->r9.is = s->rsi.is = s->rdi.is = NOTHING;
    s->window_in_r8 = false;
}

static void branch(struct sweep *s) {
    const cs_x86_op *op = &s->x86->operands[0];
    struct bt *bt = s->bt;
    bool call = in_group(s->insn, X86_GRP_CALL);

    check_lent(s);
    if (call)
        s->behind_call = s->at + s->insn->size;
    if (op->type == X86_OP_MEM) { /* through the jump cache */
        if (call || op->mem.base != X86_REG_R13 || op->mem.index != X86_REG_R9 ||
            op->mem.scale != 8 ||
            (op->mem.disp != (int64_t)offsetof(struct jump_cache, host) &&
             op->mem.disp != (int64_t)offsetof(struct jump_cache, door)))
            fail(s, "branch through memory");
        return;
    }
    if (op->type != X86_OP_IMM)
        fail(s, "indirect branch");
    uint32_t target = (uint32_t)op->imm; /* a TC offset: that is what the sweep calls addresses */
    if (target >= s->block->host && target - s->block->host < s->block->host_size) {
        s->targets[s->target_count++] = target - s->block->host;
        return;
    }
    if (target >= s->block->stubs && target < block_stub(s->block, s->block->exit_count) &&
        (target - s->block->stubs) % STUB_BYTES == 0)
        return; /* check_stub */
    for (unsigned k = 0; k < s->block->exit_count; k++) {
        uint32_t to = block_exits(bt, s->block)[k].to;
        if (to && target == block_entry(&bt->blocks[to]))
            return;
    }
    const uint32_t jumps[] = {bt->thunk_exit, bt->thunk_exit_raw, bt->thunk_exit_done,
                              bt->thunk_jump_miss, bt->thunk_return_miss};
    const uint32_t calls[] = {bt->thunk_callout, bt->thunk_prepare, bt->thunk_commit,
                              bt->thunk_commit_stay, bt->thunk_segment};
    const uint32_t *list = call ? calls : jumps;
    size_t n = call ? sizeof calls / sizeof calls[0] : sizeof jumps / sizeof jumps[0];
    for (size_t k = 0; k < n; k++) {
        if (list[k] != target)
            continue;
        uint32_t r9_imm = s->r9_imm;
        forget(s);
        if (call && target == bt->thunk_prepare)
            s->r9 = (struct place){FROM_PREPARE, r9_imm & 0xffff, r9_imm >> 16 & MMU_W};
        return;
    }
    fail(s, "branch to nowhere");
}

void verify_init(void) {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) != CS_ERR_OK ||
        cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
        abort();
    sweep.insn = cs_malloc(capstone);
    for (unsigned k = 0; k < sizeof forbidden / sizeof forbidden[0]; k++)
        is_forbidden[forbidden[k]] = true;
}

/* -- the sweep -- */

static void check_insn(struct sweep *s) {
    const cs_x86 *x = s->x86;

    check_kind(s);
    if (x->prefix[0] == 0xf0 && x->operands[0].type != X86_OP_MEM)
        fail(s, "LOCK without memory");
    for (unsigned k = 0; k < x->op_count; k++) {
        const cs_x86_op *op = &x->operands[k];
        if (op->type == X86_OP_MEM)
            check_memory(s, op);
        if (op->type == X86_OP_REG && system_register(op->reg))
            fail(s, "segment, control or debug register");
        if (op->type == X86_OP_REG && op->access & CS_AC_WRITE)
            check_written(s, op->reg);
    }
    if (in_group(s->insn, X86_GRP_JUMP) || in_group(s->insn, X86_GRP_CALL)) {
        branch(s);
        return;
    }
    if (s->insn->id == X86_INS_LEA)
        note_lea(s);
    if (s->insn->id == X86_INS_CMP)
        note_cmp(s);
    for (unsigned k = 0; k < x->op_count; k++)
        if (x->operands[k].type == X86_OP_REG && x->operands[k].access & CS_AC_WRITE)
            note_written(s, x->operands[k].reg);
}

static void check_side_table(const struct sweep *s) {
    const struct block *b = s->block;
    const struct side_entry *side = block_sides(s->bt, b);

    uint32_t entry = block_entry(b) - b->host;

    /* a block on two pages begins with a look at the second */
    if (!b->side_count || !b->length || side[0].host < entry ||
        (side[0].host != entry && !b->page2))
        BROKEN("block without a side table or of no length");
    for (unsigned k = 0; k < b->side_count; k++) {
        if (side[k].host > b->host_size || (k && side[k].host < side[k - 1].host))
            BROKEN("side table entry %u out of order", k);
        if (side[k].host < b->host_size && !(s->what[side[k].host] & IS_START))
            BROKEN("side table entry %u within a host instruction", k);
        if (side[k].guest > b->length || side[k].fix > FIX_STRING)
            BROKEN("side table entry %u leads beyond the block", k);
    }
}

/* MOV of the exit's number to struct vcpu, JMP to the thunk. */
static void check_stub(const struct sweep *s, unsigned n) {
    uint64_t address = block_stub(s->block, n);
    const uint8_t *code = bt_rw(s->bt, (uint32_t)address);
    const cs_x86 *x = &s->insn->detail->x86;
    size_t left = STUB_BYTES;

    if (!cs_disasm_iter(capstone, &code, &left, &address, s->insn) || s->insn->id != X86_INS_MOV ||
        x->operands[0].type != X86_OP_MEM || x->operands[0].mem.base != X86_REG_R15 ||
        x->operands[0].mem.index != X86_REG_INVALID ||
        x->operands[0].mem.disp != (int64_t)offsetof(struct vcpu, exit_slot) ||
        x->operands[1].type != X86_OP_IMM ||
        (uint32_t)x->operands[1].imm != EXIT_SLOT(block_number(s->bt, s->block), n))
        BROKEN("stub %u does not give its exit's number", n);
    if (!cs_disasm_iter(capstone, &code, &left, &address, s->insn) || s->insn->id != X86_INS_JMP ||
        x->operands[0].type != X86_OP_IMM || (uint32_t)x->operands[0].imm != s->bt->thunk_exit)
        BROKEN("stub %u does not leave", n);
}

static void check_exits(const struct sweep *s) {
    const struct block *b = s->block;

    if (b->exit_count > BLOCK_EXITS)
        BROKEN("%u exits", b->exit_count);
    for (unsigned k = 0; k < b->exit_count; k++) {
        const struct block_exit *x = &block_exits(s->bt, b)[k];
        if (x->patch && x->patch + 4u > b->host_size)
            BROKEN("exit %u is patched outside the block", k);
        if (x->check && x->check + 4u > b->host_size)
            BROKEN("exit %u is checked outside the block", k);
        if (x->check && (x->branch + 4u > b->host_size || x->door >= b->host_size ||
                         !(s->what[x->door] & IS_START)))
            BROKEN("exit %u has no check", k);
        check_stub(s, k);
    }
}

/* LFENCE, MFENCE and SFENCE, of whose last byte the low three bits mean nothing (SDM vol. 2B,
 * SFENCE): Capstone knows only those where they are zero. */
static bool is_fence(const uint8_t *code, size_t left) {
    return left >= 3 && code[0] == 0x0f && code[1] == 0xae && code[2] >= 0xe8;
}

void verify_block(struct bt *bt, const struct block *b) {
    struct sweep *s = &sweep;
    const uint8_t *code = bt_rw(bt, b->host);
    size_t left = b->host_size;
    uint64_t address = b->host;

    if (left == 0 || left > BLOCK_MAX_HOST_BYTES)
        BROKEN("block of %zu bytes", left);
    s->bt = bt;
    s->block = b;
    s->target_count = 0;
    s->behind_call = UINT32_MAX;
    memset(s->what, 0, left);
    forget(s);
    while (left) {
        s->at = (uint32_t)address - b->host;
        s->what[s->at] |= IS_START;
        if (is_fence(code, left)) {
            code += 3;
            left -= 3;
            address += 3;
            continue;
        }
        if (!cs_disasm_iter(capstone, &code, &left, &address, s->insn))
            BROKEN("bytes at +%x of %x decode to nothing: %02x %02x %02x %02x %02x %02x", s->at,
                   b->host_size, code[0], code[1], code[2], code[3], code[4], code[5]);
        s->x86 = &s->insn->detail->x86;
        check_insn(s);
    }
    unsigned id = s->insn->id;
    if (id != X86_INS_JMP && id != X86_INS_RET && id != X86_INS_CALL)
        fail(s, "the block runs out");
    check_lent(s);
    for (unsigned k = 0; k < s->target_count; k++)
        if (!(s->what[s->targets[k]] & IS_START))
            BROKEN("branch into a host instruction at +%x", s->targets[k]);
    check_side_table(s);
    check_exits(s);
}
