/*
 * 64-bit code for 32-bit code (recode.h). Opcode maps: Intel SDM vol. 2D appendix A; what 64-bit
 * mode changes: vol. 2A section 2.2.1.
 */
#include "tests/insn/recode.h"

#include "tests/insn/world.h"

#define ENTRIES   8192u
#define INSNS     64u /* that are made at once */
#define LONGEST   15u
#define INSN_ROOM 96u /* at most, for one */
#define TARGETS   INSNS
#define CODE_END  (CODE_BASE + CODE_SIZE)

/* How an opcode is treated. */
enum {
    NONE = '.',  /* left out */
    PLAIN = '-', /* copied, no operands */
    MODRM = 'm', /* copied: ModRM; + imm8; + imm16/32 */
    MODRM_B = 'b',
    MODRM_Z = 'z',
    IMM_B = 'B', /* copied: imm8; imm16/32 */
    IMM_Z = 'Z',
    MOFFS = 'a',  /* copied: a 32-bit address */
    STRING = 's', /* copied: memory that no operand names */
    X87 = 'x',
    GROUP3 = 'G',  /* F6, F7 */
    GROUP4 = 'I',  /* FE */
    GROUP5 = 'H',  /* FF */
    GROUP15 = 'F', /* 0F AE */
    GROUP9 = 'K',  /* 0F C7 */
    POPCNT = 'P',
    INC_DEC = 'i',
    PUSH = 'U',
    POP = 'O',
    PUSH_Z = 'V',
    PUSH_B = 'v',
    POP_M = 'Q',
    PUSHF = 'f',
    POPF = 'g',
    LEAVE = 'L',
    JCC_B = 'j',
    JCC_Z = 'k',
    LOOP = 'l',
    JMP_B = 'J',
    JMP_Z = 'N',
    CALL = 'c',
    RET = 'r',
    RET_I = 'R',
};

static const char one_byte[] = "mmmmBZ..mmmmBZ.."
                               "mmmmBZ..mmmmBZ.."
                               "mmmmBZ..mmmmBZ.."
                               "mmmmBZ..mmmmBZ.."
                               "iiiiiiiiiiiiiiii"
                               "UUUUUUUUOOOOOOOO"
                               "........Vzvb...."
                               "jjjjjjjjjjjjjjjj"
                               "bzbbmmmmmmmm.m.Q"
                               "----------.-fg--"
                               "aaaassssBZssssss"
                               "BBBBBBBBZZZZZZZZ"
                               "bbRr..bz.L..-..."
                               "mmmm...sxxxxxxxx"
                               "llll....cN.J...."
                               "....--GG------IH";
static const char two_byte[] = "...........-.m.."
                               "mmmmmmmmm......m"
                               "........mmmmmmmm"
                               "................"
                               "mmmmmmmmmmmmmmmm"
                               "mmmmmmmmmmmmmmmm"
                               "mmmmmmmmmmmmmmmm"
                               "bbbbmmm-....mmmm"
                               "kkkkkkkkkkkkkkkk"
                               "mmmmmmmmmmmmmmmm"
                               "...mbm.....mbmFm"
                               "mm.m..mmP.bmmmmm"
                               "mmbmbbbK--------"
                               "mmmmmmmmmmmmmmmm"
                               "mmmmmmmmmmmmmmmm"
                               "mmmmmmmmmmmmmmm.";
/* 0F 38 */
static const char three_byte[] = "mmmmmmmmmmmm...."
                                 "m...mm.m....mmm."
                                 "mmmmmm..mmmm...."
                                 "mmmmmm.mmmmmmmmm"
                                 "mm.............."
                                 "................"
                                 "................"
                                 "................"
                                 "................"
                                 "................"
                                 "................"
                                 "................"
                                 "................"
                                 "...........mmmmm"
                                 "................"
                                 "mm..............";
/* 0F 3A */
static const char three_byte_imm[] = "........bbbbbbbb"
                                     "....bbbb........"
                                     "bbb............."
                                     "................"
                                     "bbb.b..........."
                                     "................"
                                     "bbbb............"
                                     "................"
                                     "................"
                                     "................"
                                     "................"
                                     "................"
                                     "................"
                                     "...............b"
                                     "................"
                                     "................";

/* Where the code of each instruction is. */
static struct {
    uint32_t offset;
    struct recoded of;
} entry[ENTRIES];
static uint32_t entry_of[CODE_SIZE]; /* number + 1, for a case with this mark above */
static uint16_t mark_of[CODE_SIZE], mark;

/* A jump to another instruction: where its 32-bit distance is. */
struct jump {
    uint32_t field, target;
};
static struct jump jumps[TARGETS];
static uint32_t jumps_used;

/* One instruction, taken apart. */
struct insn {
    uint32_t eip, length;
    uint8_t prefix[LONGEST]; /* those that are copied */
    uint32_t prefixes;
    int o16, a16, lock, rep, cs, fs_gs;
    uint8_t opcode[3];
    uint32_t opcodes;
    char kind;
    uint8_t operand[6]; /* ModRM, SIB, displacement, in their 64-bit form */
    uint32_t operands;
    int has_modrm, memory;
    uint8_t imm[4];
    uint32_t imms;
};

/* -- taking apart -------------------------------------------------------------------------------
 */

struct reader {
    const struct recode *r;
    uint32_t eip; /* of the next byte */
    uint32_t left;
    int failed; /* too long, or the region ends */
};

static uint8_t next(struct reader *in) {
    if (in->left == 0 || in->eip >= CODE_END) {
        in->failed = 1;
        return 0;
    }
    in->left--;
    return in->r->code[in->eip++ - CODE_BASE];
}

static void read_prefixes(struct reader *in, struct insn *i) {
    for (;;) {
        uint8_t b = next(in);
        switch (b) {
        case 0x2e: /* code is not written to */
            i->cs = 1;
            i->fs_gs = 0;
            continue;
        case 0x26:
        case 0x36:
        case 0x3e:
            i->cs = i->fs_gs = 0;
            continue;
        case 0x64:
        case 0x65:
            i->cs = 0;
            i->fs_gs = b;
            continue;
        case 0x66:
            i->o16 = 1;
            break;
        case 0x67:
            i->a16 = 1;
            continue;
        case 0xf0:
            i->lock = 1;
            break;
        case 0xf2:
        case 0xf3:
            i->rep = b;
            break;
        default:
            i->opcode[i->opcodes++] = b;
            return;
        }
        i->prefix[i->prefixes++] = b;
    }
}

static void read_opcode(struct reader *in, struct insn *i) {
    const char *map = one_byte;
    if (i->opcode[0] == 0x0f) {
        map = two_byte;
        i->opcode[i->opcodes++] = next(in);
        if (i->opcode[1] == 0x38 || i->opcode[1] == 0x3a) {
            map = i->opcode[1] == 0x38 ? three_byte : three_byte_imm;
            i->opcode[i->opcodes++] = next(in);
        }
    }
    i->kind = map[i->opcode[i->opcodes - 1]];
}

/* An address without base becomes one with a SIB byte: ModRM alone would be relative to RIP. */
static void read_operand(struct reader *in, struct insn *i) {
    uint8_t modrm = next(in);
    uint32_t mod = modrm >> 6, rm = modrm & 7, displacement = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    i->has_modrm = 1;
    i->memory = mod != 3;
    i->operand[i->operands++] = modrm;
    if (mod == 3)
        return;
    if (rm == 4) {
        uint8_t sib = next(in);
        i->operand[i->operands++] = sib;
        if (mod == 0 && (sib & 7) == 5)
            displacement = 4;
    } else if (mod == 0 && rm == 5) {
        i->operand[0] = (uint8_t)(modrm - 1);
        i->operand[i->operands++] = 0x25;
        displacement = 4;
    }
    while (displacement--)
        i->operand[i->operands++] = next(in);
}

static uint32_t digit(const struct insn *i) {
    return i->operand[0] >> 3 & 7;
}

/* The kind of an opcode that ModRM extends. */
static char refine(const struct insn *i) {
    static const char group5[] = "mmc.N.U.";
    switch (i->kind) {
    case GROUP3:
        return digit(i) > 1 ? MODRM : i->opcode[0] & 1 ? MODRM_Z : MODRM_B;
    case GROUP4:
        return digit(i) < 2 ? MODRM : NONE;
    case GROUP5:
        return group5[digit(i)];
    case GROUP15: /* LDMXCSR, STMXCSR, CLFLUSH; fences */
        return !i->rep && !i->o16 && (i->memory ? "..mm...m" : ".....mmm")[digit(i)] == 'm' ? MODRM
                                                                                            : NONE;
    case GROUP9: /* CMPXCHG8B */
        return digit(i) == 1 && i->memory ? MODRM : NONE;
    case POPCNT:
        return i->rep == 0xf3 ? MODRM : NONE;
    case POP_M:
        return digit(i) == 0 ? POP_M : NONE;
    case MODRM_B: /* MOV; XABORT, XBEGIN */
    case MODRM_Z:
        return (i->opcode[0] | 1) == 0xc7 && digit(i) != 0 ? NONE : i->kind;
    case X87: /* environments hold addresses */
        return i->memory && ((i->opcode[0] == 0xd9 && (digit(i) == 4 || digit(i) == 6)) ||
                             (i->opcode[0] == 0xdd && (digit(i) == 4 || digit(i) == 6)))
                   ? NONE
                   : MODRM;
    default:
        return i->kind;
    }
}

static int wants_modrm(char kind) {
    for (const char *k = "mbzxGIHFKPQ"; *k; k++)
        if (*k == kind)
            return 1;
    return 0;
}

static uint32_t imm_bytes(const struct insn *i) {
    switch (i->kind) {
    case MODRM_B:
    case IMM_B:
    case PUSH_B:
    case JCC_B:
    case JMP_B:
    case LOOP:
        return 1;
    case MODRM_Z:
    case IMM_Z:
    case PUSH_Z:
        return i->o16 ? 2 : 4;
    case MOFFS:
    case JCC_Z:
        return 4;
    case CALL:
    case JMP_Z:
        return i->has_modrm ? 0 : 4;
    case RET_I:
        return 2;
    default:
        return 0;
    }
}

/* False: it ends beyond the region or is too long. */
static int decode(const struct recode *r, uint32_t eip, struct insn *i) {
    struct reader in = {r, eip, LONGEST, 0};
    *i = (struct insn){.eip = eip};
    read_prefixes(&in, i);
    read_opcode(&in, i);
    if (wants_modrm(i->kind)) {
        read_operand(&in, i);
        i->kind = refine(i);
    }
    for (uint32_t n = imm_bytes(i); n > 0; n--)
        i->imm[i->imms++] = next(&in);
    i->length = in.eip - eip;
    return !in.failed;
}

static uint32_t immediate(const struct insn *i) {
    uint32_t v = 0;
    for (uint32_t n = 0; n < i->imms; n++)
        v |= (uint32_t)i->imm[n] << 8 * n;
    return i->imms == 1 ? (uint32_t)(int8_t)v : v;
}

/* -- making code --------------------------------------------------------------------------------
 */

static void byte(struct recode *r, uint32_t b) {
    r->out[r->used++] = (uint8_t)b;
}

static void bytes(struct recode *r, const char *text, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        byte(r, (uint8_t)text[i]);
}
#define BYTES(r, text) bytes(r, text, sizeof(text) - 1)

static void number(struct recode *r, uint32_t v, uint32_t n) {
    for (; n > 0; n--, v >>= 8)
        byte(r, v);
}

static void operand(struct recode *r, const struct insn *i, uint32_t reg) {
    byte(r, (i->operand[0] & 0xc7u) | reg << 3);
    for (uint32_t n = 1; n < i->operands; n++)
        byte(r, i->operand[n]);
}

/* Also where no operand says so: MASKMOVQ and MASKMOVDQU. */
static int uses_memory(const struct insn *i) {
    return i->memory || i->kind == STRING || i->kind == MOFFS ||
           (i->opcodes == 2 && i->opcode[1] == 0xf7);
}

static void copy(struct recode *r, const struct insn *i) {
    if (uses_memory(i))
        byte(r, 0x67);
    for (uint32_t n = 0; n < i->prefixes; n++)
        byte(r, i->prefix[n]);
    for (uint32_t n = 0; n < i->opcodes; n++)
        byte(r, i->opcode[n] == 0x82 && i->opcodes == 1 ? 0x80 : i->opcode[n]);
    for (uint32_t n = 0; n < i->operands; n++)
        byte(r, i->operand[n]);
    for (uint32_t n = 0; n < i->imms; n++)
        byte(r, i->imm[n]);
}

/* lea esp, [rsp + by] */
static void move_esp(struct recode *r, int32_t by) {
    BYTES(r, "\x8d\xa4\x24");
    number(r, (uint32_t)by, 4);
}

/* mov [esp - size], r8d or r8w; lea esp, [rsp - size] */
static void push_r8(struct recode *r, uint32_t size) {
    if (size == 2)
        byte(r, 0x66);
    BYTES(r, "\x67\x44\x89\x44\x24");
    byte(r, 0u - size);
    move_esp(r, -(int32_t)size);
}

/* mov r8d, [esp] or movzx r8d, word [esp] */
static void load_top(struct recode *r, uint32_t size) {
    if (size == 2)
        BYTES(r, "\x67\x44\x0f\xb7\x04\x24");
    else
        BYTES(r, "\x67\x44\x8b\x04\x24");
}

/* mov r8d, imm32 */
static void set_r8(struct recode *r, uint32_t v) {
    BYTES(r, "\x41\xb8");
    number(r, v, 4);
}

/* The 32-bit distance of a jump, to be filled in when all targets have code. */
static void distance(struct recode *r, uint32_t target) {
    jumps[jumps_used++] = (struct jump){r->used, target};
    number(r, 0, 4);
}

static void jump(struct recode *r, uint32_t target) {
    byte(r, 0xe9);
    distance(r, target);
}

/* mov r8d, r/m; push m or call, jmp to it */
static void load_operand(struct recode *r, const struct insn *i, uint32_t size) {
    if (i->memory)
        byte(r, 0x67);
    BYTES(r, "\x44");
    if (size == 2)
        BYTES(r, "\x0f\xb7");
    else
        BYTES(r, "\x8b");
    operand(r, i, 0);
}

/* The address of POP's operand is that with ESP already popped; a fault finds it as it was. */
static void pop_memory(struct recode *r, const struct insn *i, uint32_t size) {
    move_esp(r, (int32_t)size);
    BYTES(r, "\x44\x8d"); /* lea r9d, m */
    operand(r, i, 1);
    move_esp(r, -(int32_t)size);
    load_top(r, size);
    if (size == 2)
        byte(r, 0x66);
    BYTES(r, "\x67\x45\x89\x01"); /* mov [r9d], r8 */
    move_esp(r, (int32_t)size);
}

/* Through a stack of our own, as 64-bit mode pushes eight bytes. */
static void push_flags(struct recode *r, uint32_t size) {
    uint64_t top = (uint64_t)(uintptr_t)r->scratch;
    BYTES(r, "\x49\x89\xe1\x48\xbc"); /* mov r9, rsp; mov rsp, top */
    number(r, (uint32_t)top, 4);
    number(r, (uint32_t)(top >> 32), 4);
    BYTES(r, "\x9c\x41\x58\x4c\x89\xcc"); /* pushfq; pop r8; mov rsp, r9 */
    if (r->stepping)
        BYTES(r, "\x45\x8d\x80\x00\xff\xff\xff"); /* lea r8d, [r8 - 100h] */
    push_r8(r, size);
}

static void pop_flags(struct recode *r, uint32_t size) {
    uint64_t top = (uint64_t)(uintptr_t)r->scratch;
    load_top(r, size);
    if (r->stepping)
        BYTES(r, "\x45\x8d\x80\x00\x01\x00\x00");
    move_esp(r, (int32_t)size);
    BYTES(r, "\x49\x89\xe1\x48\xbc");
    number(r, (uint32_t)top, 4);
    number(r, (uint32_t)(top >> 32), 4);
    BYTES(r, "\x41\x50"); /* push r8 */
    if (size == 2)
        byte(r, 0x66);
    byte(r, 0x9d);
    BYTES(r, "\x4c\x89\xcc"); /* mov rsp, r9 */
}

static void call(struct recode *r, const struct insn *i) {
    uint32_t end = i->eip + i->length;
    if (i->has_modrm) {
        load_operand(r, i, 4);
        BYTES(r, "\x4d\x89\xc1"); /* mov r9, r8 */
    }
    set_r8(r, end);
    push_r8(r, 4);
    if (i->has_modrm)
        BYTES(r, "\x41\xff\xe1"); /* jmp r9 */
    else
        jump(r, end + immediate(i));
}

/* The register that POP writes. */
static uint32_t popped(const struct insn *i) {
    return (i->has_modrm ? i->operand[0] : i->opcode[0]) & 7u;
}

static void pop_register(struct recode *r, const struct insn *i, uint32_t size) {
    load_top(r, size);
    move_esp(r, (int32_t)size);
    if (size == 2)
        byte(r, 0x66);
    BYTES(r, "\x44\x89"); /* mov reg, r8 */
    byte(r, 0xc0 | popped(i));
}

/* What neither mode's form can stand for the other: 16-bit addresses and jumps, prefixes that
 * a sequence would lose. */
static int is_left_out(const struct recode *r, const struct insn *i) {
    int memory = uses_memory(i), copied = 0;
    for (const char *k = "-mbzBZasxi"; *k; k++)
        copied |= *k == i->kind;
    if (i->kind == NONE || (i->a16 && (memory || !copied)))
        return 1;
    if (memory && (i->cs || (i->fs_gs == 0x64 && !r->flat_fs) || (i->fs_gs == 0x65 && !r->flat_gs)))
        return 1;
    if (copied)
        return 0;
    int branch = 0;
    for (const char *k = "jklJNcrR"; *k; k++)
        branch |= *k == i->kind;
    return i->lock || (branch ? i->o16 : i->rep) || (i->kind == LEAVE && i->o16) ||
           ((i->kind == POP || i->kind == POP_M) && i->o16 && !i->memory && popped(i) == 4);
}

static void make(struct recode *r, const struct insn *i) {
    uint32_t end = i->eip + i->length, size = i->o16 ? 2 : 4;
    switch (i->kind) {
    case INC_DEC:
        for (uint32_t n = 0; n < i->prefixes; n++)
            byte(r, i->prefix[n]);
        byte(r, 0xff);
        byte(r, 0xc0 | (i->opcode[0] & 0xfu));
        break;
    case PUSH:
        if (i->has_modrm)
            load_operand(r, i, size);
        else
            BYTES(r, "\x44\x8b"), byte(r, 0xc0 | (i->opcode[0] & 7u)); /* mov r8d, reg */
        push_r8(r, size);
        break;
    case PUSH_Z:
    case PUSH_B:
        set_r8(r, immediate(i));
        push_r8(r, size);
        break;
    case POP:
    case POP_M:
        if (i->memory)
            pop_memory(r, i, size);
        else
            pop_register(r, i, size);
        break;
    case PUSHF:
        push_flags(r, size);
        break;
    case POPF:
        pop_flags(r, size);
        break;
    case LEAVE:
        BYTES(r, "\x67\x44\x8b\x45\x00\x8d\x65\x04\x44\x89\xc5");
        break;
    case JCC_B:
    case JCC_Z:
        byte(r, 0x0f);
        byte(r, 0x80 | (i->opcode[i->opcodes - 1] & 0xfu));
        distance(r, end + immediate(i));
        break;
    case LOOP: /* over the jump that is not taken */
        byte(r, 0x67);
        byte(r, i->opcode[0]);
        BYTES(r, "\x02\xeb\x05");
        jump(r, end + immediate(i));
        break;
    case JMP_B:
        jump(r, end + immediate(i));
        break;
    case JMP_Z:
        if (i->has_modrm) {
            load_operand(r, i, 4);
            BYTES(r, "\x41\xff\xe0");
        } else {
            jump(r, end + immediate(i));
        }
        break;
    case CALL:
        call(r, i);
        break;
    case RET:
    case RET_I:
        load_top(r, 4);
        move_esp(r, 4 + (int32_t)(immediate(i) & 0xffff));
        BYTES(r, "\x41\xff\xe0");
        break;
    default:
        copy(r, i);
        break;
    }
}

/* -- the whole ----------------------------------------------------------------------------------
 */

void recode_reset(struct recode *r) {
    r->used = r->entries = 0;
    if (++mark == 0) {
        for (uint32_t i = 0; i < CODE_SIZE; i++)
            mark_of[i] = 0;
        mark = 1;
    }
}

static uint32_t *found(uint32_t eip) {
    uint32_t at = eip - CODE_BASE;
    return at < CODE_SIZE && mark_of[at] == mark ? &entry_of[at] : 0;
}

static void add_entry(struct recode *r, const struct insn *i, int left_out) {
    entry[r->entries].of = (struct recoded){i->eip, i->length, 1, left_out};
    entry[r->entries].offset = r->used;
    entry_of[i->eip - CODE_BASE] = r->entries++;
    mark_of[i->eip - CODE_BASE] = mark;
}

/* Fills in the jumps' distances. Those whose target has no code go to the target itself. */
static void connect(struct recode *r) {
    for (uint32_t n = 0; n < jumps_used; n++) {
        const uint32_t *target = found(jumps[n].target);
        uint32_t to = target ? entry[*target].offset : r->used, at = jumps[n].field;
        if (!target) {
            set_r8(r, jumps[n].target);
            BYTES(r, "\x41\xff\xe0");
        }
        for (uint32_t i = 0, v = to - (at + 4); i < 4; i++, v >>= 8)
            r->out[at + i] = (uint8_t)v;
    }
    jumps_used = 0;
}

uint8_t *recode_at(struct recode *r, uint32_t eip) {
    const uint32_t *there = found(eip);
    if (there)
        return r->out + entry[*there].offset;
    if (r->entries + INSNS > ENTRIES || r->used + (2 * INSNS + 1) * INSN_ROOM > RECODE_ROOM)
        return 0;
    uint8_t *start = r->out + r->used;
    for (uint32_t n = 1;; n++) {
        struct insn i;
        if (eip >= CODE_END || found(eip) || n == INSNS) {
            jump(r, eip);
            break;
        }
        int left_out = !decode(r, eip, &i) || is_left_out(r, &i);
        add_entry(r, &i, left_out);
        if (left_out) {
            BYTES(r, "\x0f\x0b");
            break;
        }
        make(r, &i);
        eip += i.length;
    }
    connect(r);
    return start;
}

struct recoded recode_find(const struct recode *r, const uint8_t *at) {
    uint32_t offset = (uint32_t)(at - r->out), low = 0, high = r->entries;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (entry[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    struct recoded found_there = entry[low].of;
    found_there.starts = entry[low].offset == offset;
    return found_there;
}
