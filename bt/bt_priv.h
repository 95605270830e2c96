/*
 * The translator's own state. Sizes bound what a guest can make the VMM hold: when one runs out,
 * old translations go.
 */
#ifndef BT_BT_PRIV_H
#define BT_BT_PRIV_H

#include "bt/bt.h"
#include "bt/insn.h"
#include "host/host.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

enum {
    BLOCK_MAX_INSNS = 48,
    BLOCK_SIDES = BLOCK_MAX_INSNS * 8,
    BLOCK_MAX_HOST_BYTES = 48 * 1024,
    BLOCK_EXITS = 16, /* a power of two */
    BLOCKS = 304 * 1024,
    BLOCK_BITS = 24, /* for a block's number */
    BLOCK_NUMBERS = 1 << BLOCK_BITS,
    BLOCK_BUCKETS = 256 * 1024,
    PAGE_BUCKETS = 512, /* of them for the blocks of one page */
    BLOCK_CHAIN = 64,   /* blocks in one bucket; they are two or three as a rule */
    CODE_PAGES = 24 * 1024,
    CODE_PAGE_BUCKETS = 8 * 1024,
    CODE_TLB_LOG = 512,
    TABLES_SHARE = 2, /* bytes of code to a byte of tables */
    STUBS_SHARE = 5,  /* of the code memory one part in so many is stubs */
    STUB_BYTES = 13,
    CHECK_BYTES = 12,
    JUMP_CACHE_ENTRIES = 64 * 1024,
    JUMP_LOG = 16384,
    HINTS = 16 * 1024,
    BRIEF_HINTS = 64,
    BRIEF_PASTS = 256,
    FAULT_SITES = 64,
    HINT_PAGES = 4096,
    RECENT_BLOCKS = 64,
    LINKED_PAGES = 256,
    LINK_GROUPS = 64,
    TCACHE_ALIGN = 4, /* where blocks begin */
};

/* Where a direct branch leaves its block, and where it has been patched to go. They stand behind
 * the block's side table. */
struct block_exit {
    uint32_t target;          /* EIP */
    uint32_t to : BLOCK_BITS; /* block chained to; 0 none */
    uint32_t unchecked : 1;   /* chained past the check (links.c) */
    uint32_t pc_thunk : 1; /* a call that an instruction can stand for, waiting before the door */
    /* exits (EXIT_NUMBER) chained to the same block, behind and before it; 0 none */
    uint32_t next_in, prev_in;
    /* in the block's host code: */
    uint16_t patch; /* the branch displacement that chaining rewrites; 0 none (see turn_round()) */
    uint16_t check; /* the page check's immediate; 0: chained without a check */
    /* with a check: the branch displacement that leads to the check, and where that begins */
    uint16_t branch, door;
};
_Static_assert(sizeof(struct block_exit) == 24, "a boot has a hundred thousand of them");
_Static_assert(BLOCK_MAX_HOST_BYTES <= UINT16_MAX, "struct block_exit has offsets of 16 bits");

/* A translation. Block 0 is never used, so that 0 means none. A cache line of the host: looking for
 * one touches no more of it. */
struct block {
    _Alignas(64) uint32_t eip; /* offset in CS */
    uint32_t gla;
    uint32_t key;
    uint32_t cs_limit;
    uint32_t page;      /* code page it starts on; 0: dead */
    uint32_t page2;     /* second page of an instruction that crosses; 0 none */
    uint32_t host;      /* TC offset of its code; a check is at its beginning (entry.c) */
    uint32_t host_size; /* bytes of host code */
    uint32_t table;     /* offset in bt->tables of the side table; behind it the exits */
    uint32_t stubs;     /* TC offset of its exits' stubs, STUB_BYTES each */
    uint32_t next;      /* hash chain */
    uint32_t next_in_page, prev_in_page; /* by age */
    uint32_t next_in_page2;
    uint32_t incoming; /* first exit (EXIT_NUMBER) chained here */
    uint16_t side_count;
    uint8_t exit_count : 7, has_check : 1;
    uint8_t length; /* guest bytes that it was made from */
};
_Static_assert(sizeof(struct block) == 64, "looking for a block touches one line");

/* Blocks that share a hash: the first of their chain, and how many they are. */
struct block_bucket {
    uint32_t first : BLOCK_BITS;
    uint32_t count : 32 - BLOCK_BITS;
};
_Static_assert(BLOCKS <= BLOCK_NUMBERS && BLOCK_CHAIN < UINT8_MAX,
               "struct block_bucket holds them");

/*
 * A page of guest code under one linear address: what translated code checks before it follows a
 * chain into another page. Page 0 is never used.
 */
struct code_page {
    uint32_t id; /* its own as long as any translation is left from its time; 0 and 1 never */
    uint32_t vpage, ppage;
    uint32_t blocks, youngest; /* blocks starting here, by next_in_page: the first and the last */
    uint32_t crossers;         /* blocks whose one instruction ends here, by next_in_page2 */
    uint32_t next;             /* hash chain by vpage */
    uint32_t next_same_frame;
    uint32_t heat_first, heat_last; /* bt->heat_clock at the first and last of `heat` samples */
    uint8_t heat;
    bool user, global;
    uint8_t group; /* with which it shares unchecked chains (links.c); 0 none */
    uint8_t left;  /* how often it has left one */
};

/* Jump cache: indexed by EIP's low 16 bits. Translated code adds minus_eip to EIP, to find a match
 * without flags, and jumps through `host`. Hot code jumps through `door` without a look: to a block
 * that looks itself (entry.c), or to the thunk jump_check. */
struct jump_cache {
    uint32_t minus_eip[JUMP_CACHE_ENTRIES];
    uint64_t host[JUMP_CACHE_ENTRIES]; /* where code runs, not TC offsets */
    uint64_t door[JUMP_CACHE_ENTRIES];
};

enum { ASTRAY_BITS = 65536 };

/* EIPs, modulo ASTRAY_BITS, at which another came than the code there is for (edge.c). */
struct astray {
    uint64_t bits[ASTRAY_BITS / 64];
    uint64_t since_ns; /* by kick_ns: when it was last emptied */
};

/* A jump cache and what it takes to empty it. */
struct jump_table {
    struct jump_cache *cache;
    /* indices filled since it was emptied: for pages of one CR3, for global ones */
    uint32_t *log[2];
    uint32_t log_count[2];
    uint32_t key; /* of all its blocks */
};

/* Side-table entry: from this host offset on, guest EIP is block eip + guest, and guest ESP is
 * R12 + 4 * esp. */
struct side_entry {
    uint16_t host;
    uint8_t guest;
    uint8_t fix : 2; /* enum side_fix */
    int8_t esp : 6;
};
enum { ESP_DELTA_MIN = -128, ESP_DELTA_MAX = 124 };

enum side_fix {
    FIX_NONE,
    FIX_RSI_R10, /* guest ESI is in R10 */
    FIX_EIP_R8,  /* the instruction is complete, EIP is in R8 */
    FIX_STRING,  /* a repeated string instruction at work: may be interrupted between elements */
};

/* Room for a block's side table and exits. */
enum {
    BLOCK_MAX_TABLES =
        BLOCK_SIDES * sizeof(struct side_entry) + BLOCK_EXITS * sizeof(struct block_exit),
};

/* The guest's GDT for user code that runs natively (native.c). */
struct native_gdt {
    uint64_t guest[HOST_USER_GDT]; /* as the guest had it when last looked at */
    uint64_t user[HOST_USER_GDT];  /* what of it user code may see */
    uint64_t version;              /* of this and of the LDT: counts changes; 0: never looked at */
    uint32_t bytes;                /* how many of `guest` the limit lets in */
    const uint8_t *at; /* where memory holds them while v->tables_epoch is `epoch`, or NULL */
    uint64_t epoch;
    uint16_t limit;
};

/* The guest's LDT for the same (native_ldt.c). */
struct native_ldt {
    uint64_t *guest; /* as the guest had it when last looked at */
    uint64_t *user;  /* what of it user code may see */
    unsigned entries;
};

/* Hints that expire (hints.c), each kind with room of its own: reaching pages that the guest
 * changes all the time, or taking many page faults. */
enum brief_kind { BRIEF_CHURNS, BRIEF_FAULTS, BRIEF_KINDS };
struct brief_hints {
    unsigned count;
    struct brief_hint {
        gla_t gla;
        uint64_t until_ns; /* by bt->kick_ns */
    } hint[BRIEF_HINTS];   /* the oldest first */
};
/* How long the latest at an instruction lasts. */
struct brief_past {
    gla_t gla;
    uint64_t life_ns, until_ns;
};

/* An instruction that the guest takes faults at (hints.c). */
struct fault_site {
    gla_t gla;
    uint64_t since_ns; /* bt->kick_ns at the first of `count` faults */
    uint32_t count;
};

struct bt {
    struct vm *vm;
    struct host_code code;
    uint32_t head;         /* TC offset where the next block goes */
    uint32_t blocks_start; /* TC offset of the first block: thunks stand below */
    /* exits' stubs, a ring above the code's: once an exit is chained nothing runs its stub */
    uint32_t stubs_start, stub_head;
    /* side tables and exits, a ring beside the code's: code is dense when they stand elsewhere */
    uint8_t *tables;
    uint32_t tables_size, table_head;
    struct present { /* offsets in the rings up to which memory is present (tcache.c) */
        uint32_t code, stubs, tables, blocks;
    } present;
    struct block *blocks;
    uint32_t block_head, block_tail; /* ring of live or dead blocks in TC order; tail oldest */
    struct block_bucket *buckets;
    struct code_page *pages;
    uint32_t page_of_slot[2][CODE_TLB_ENTRIES]; /* code page behind each v->code_tlb entry */
    struct code_tlb_log { /* entries filled since the last flush; more than it holds: all */
        uint32_t count;
        uint16_t slot[CODE_TLB_LOG];
    } code_tlb_log[2];
    uint32_t page_count;
    uint32_t page_id;
    /* pages in groups (links.c): when each group was last looked up, and when the map changed */
    uint32_t linked[LINKED_PAGES];
    unsigned linked_count;
    uint64_t group_epoch[LINK_GROUPS], map_epoch;
    uint32_t *page_buckets;       /* by vpage */
    uint32_t *frame_pages;        /* first code page of each RAM frame */
    uint32_t *frame_blocks;       /* translations on each RAM frame, crossing ones on both */
    uint8_t *frame_writes;        /* writes that hit code, by frame; saturates */
    struct jump_table jump[2];    /* [user]: in use */
    struct jump_table jump_spare; /* CPL 0 to 2's for another key; without a cache: none yet */
    bool no_jump_spare;           /* the host has no memory for it */
    uint32_t jump_key_before;     /* theirs before the present one */
    struct astray no_door;        /* where jumps came to wrong blocks (entry.c) */
    struct astray no_landing;     /* where returns came to wrong landings (landing.c) */
    void *poison;
    uint32_t *hints; /* gla or HINT_DIVIDE(gla) of instructions, plus 1; hash set (hints.c) */
    struct brief_hints brief_hints[BRIEF_KINDS];
    struct brief_past brief_pasts[BRIEF_PASTS]; /* by a hash; the latest stays */
    struct fault_site fault_sites[FAULT_SITES];
    uint64_t kick_ns; /* host_clock_ns() at the last bt_kick() or HLT: good to 10 ms */
    uint64_t hint_pages[HINT_PAGES / 64]; /* pages that may have hints */
    struct insn_decoder *decoder;
    struct insn_template *templates; /* TEMPLATES of them, by hash (template.h) */
    /* thunks: TC offsets */
    uint32_t thunk_enter, thunk_exit, thunk_exit_raw, thunk_exit_done, thunk_jump_miss;
    uint32_t thunk_return_miss, thunk_jump_check, thunk_jump_check_end;
    uint32_t thunk_callout, thunk_prepare, thunk_commit, thunk_commit_stay, thunk_segment;
    uint32_t thunk_native, thunk_resume, thunk_leave;
    struct insn insns[BLOCK_MAX_INSNS];
    uint32_t heat_clock;         /* samples of code in direct form (heat.c) */
    uint32_t heated;             /* number of the code page that has become hot; 0 none */
    gla_t recent[RECENT_BLOCKS]; /* ring of the blocks dispatched last, for the panic report */
    uint32_t recent_count;
    uint64_t run_start_ns;
    bool run_loop_next;           /* what runs has KEY_RUN_LOOP */
    uint8_t seen[INSN_MNEMONICS]; /* by mnemonic: coverage.c */
    bool native_refused;          /* the next instruction is the translator's (native.c) */
    struct native_gdt native_gdt;
    struct native_ldt native_ldt;
    struct host_user user;            /* for native runs */
    struct seg native_seg[SEG_COUNT]; /* the segments that user.selector stands for ... */
    uint64_t native_seg_version;      /* ... with this version of native_gdt; 0: none */
    uint64_t native_start;            /* TSC when the run began */
    struct bt_stats stats;
};

/* Unmapped stand-in for a jump cache; behind it a page that stands for an unusable FS or GS base.
 */
#define POISON_BYTES sizeof(struct jump_cache)

/* v->exit_slot: 0 just dispatch, EXIT_JUMP an indirect miss and EXIT_ONWARD a callout's way on
 * (fill the jump cache), else EXIT_NUMBER + 2 of the exit to chain, where no number is that of
 * block 0. */
#define EXIT_JUMP             1u
#define EXIT_ONWARD           2u
#define EXIT_NUMBER(block, n) ((block) * (uint32_t)BLOCK_EXITS + (n))
#define EXIT_SLOT(block, n)   (EXIT_NUMBER(block, n) + 2u)

static inline uint8_t *bt_rw(struct bt *bt, uint32_t offset) {
    return bt->code.rw + offset;
}

/* thunk_prepare's R9: size, access << 16, and whether a misaligned operand faults. */
#define PREPARE_ALIGNED (1u << 24)
/* Unless MXCSR.MM is set. */
#define PREPARE_MASKABLE (1u << 25)

/* thunk_segment's R9 for a near branch target in place of a data access. */
#define SEGMENT_CODE_TARGET (1u << 4)
/* In it: whatever the operand's alignment, there is no #AC (a #GP comes of it later). */
#define SEGMENT_ALIGNED (1u << 5)
/* Unless MXCSR.MM is set: then there is. */
#define SEGMENT_MASKABLE (1u << 6)

/* -- block.c: finding, linking and killing translations -- */
/* The live translation made for just this, or NULL. */
struct block *block_find(struct bt *bt, uint32_t page, uint32_t gla, uint32_t eip, uint32_t key,
                         uint32_t cs_limit);
/* Makes a translated block one that is found; its frames are marked as holding code. Where more
 * than BLOCK_CHAIN would share a bucket the oldest of them dies. */
void block_insert(struct bt *bt, struct block *b);
/* Takes it away and undoes the chains to and from it. Its code stays until the room is needed: it
 * may be running. Nothing happens to a dead one. */
void block_kill(struct bt *bt, struct block *b);
/* Patches exit n of `from` to go to `to`, if it can be and has not been. */
void block_chain(struct bt *bt, struct block *from, unsigned n, struct block *to);
/* Lets exit n of `from`, chained with a check, go past it, if it may. */
void block_skip_check(struct bt *bt, struct block *from, unsigned n);
/* Chains from and to b that go past their checks do so no longer. */
void block_check_chains(struct bt *bt, struct block *b);
/* The block whose host code holds TC offset `offset`, dead ones included; NULL: none. */
struct block *block_at(struct bt *bt, uint32_t offset);
/* Its side table: side_count entries. */
static inline struct side_entry *block_sides(const struct bt *bt, const struct block *b) {
    return (struct side_entry *)(void *)(bt->tables + b->table);
}
/* Its exits: exit_count of them. */
static inline struct block_exit *block_exits(const struct bt *bt, const struct block *b) {
    return (struct block_exit *)(void *)(block_sides(bt, b) + b->side_count);
}
/* Where its exit n leads while not chained: TC offset. */
static inline uint32_t block_stub(const struct block *b, unsigned n) {
    return b->stubs + n * STUB_BYTES;
}
/* Behind its check, if it has one: where chains and the run loop enter it. TC offset, and where it
 * runs. */
static inline uint32_t block_entry(const struct block *b) {
    return b->host + (b->has_check ? CHECK_BYTES : 0u);
}
static inline uint64_t block_address(const struct bt *bt, const struct block *b) {
    return (uint64_t)(uintptr_t)(bt->code.rx + block_entry(b));
}
static inline uint32_t block_number(const struct bt *bt, const struct block *b) {
    return (uint32_t)(b - bt->blocks);
}

/* -- tcache.c: room for translations; the oldest go first -- */
/* Room for BLOCK_MAX_HOST_BYTES at bt->head, BLOCK_EXITS stubs at bt->stub_head, BLOCK_MAX_TABLES
 * at bt->table_head and a block descriptor, after eviction. */
struct block *tcache_reserve(struct bt *bt);
/* b, which tcache_reserve has given, keeps what it has used of the room. */
void tcache_commit(struct bt *bt, const struct block *b);
/* Kills all translations. */
void tcache_flush(struct bt *bt);

/* -- codepage.c -- */
/* The page that holds the code at gla for the present view, or 0 with a fault pending. */
uint32_t codepage_lookup(struct bt *bt, struct vcpu *v, gla_t gla);
/* The PAGE_SIZE bytes that the CPU fetches from it. */
const uint8_t *codepage_bytes(const struct bt *bt, uint32_t page);
/* The same from the code TLB alone: 0 when it does not know. */
uint32_t codepage_cached(const struct bt *bt, const struct vcpu *v, gla_t gla, bool user);
/* Empties v->code_tlb for CPL 3 or for CPL 0 to 2. */
void codepage_forget(struct bt *bt, bool user);
/* Makes sure that two new code pages can be noted without dropping translations. */
void codepage_make_room(struct bt *bt);
/* Puts a block on the lists of its pages, and takes it off. A frame without any may be written. */
void codepage_add_block(struct bt *bt, struct block *b);
void codepage_drop_block(struct bt *bt, struct block *b);
/* Kills all translations of a code page. */
void codepage_kill(struct bt *bt, uint32_t page);
/* Kills those that hold the byte at gla, in all address spaces. */
void codepage_kill_at(struct bt *bt, gla_t gla);
/* Kills all translations on a RAM frame. True: there were some. */
bool codepage_kill_frame(struct bt *bt, uint32_t frame);

/* -- pc_thunk.c: functions that return their return address -- */
enum { PC_THUNK_BYTES = 4, PC_THUNK_INLINE_BYTES = 5 };
/* The register (EAX..EDI) in which the function whose first PC_THUNK_BYTES these are returns its
 * return address, if that is all it does; else -1. */
int pc_thunk_register(const uint8_t *code);

/* -- links.c: unchecked chains between pages -- */
/* Page's translations may be entered now: makes sure that those they may reach without a check may,
 * too. To be called when its mapping has been looked up for the present linear map. */
void links_enter(struct bt *bt, struct vcpu *v, uint32_t page);
/* Chains between the two pages need no check from now on; both are mapped now. False: they do. */
bool links_join(struct bt *bt, uint32_t a, uint32_t b);
/* Any page may be mapped otherwise now; code_tlb has forgotten them all. */
void links_map_changed(struct bt *bt);
void links_reset(struct bt *bt);

/* -- jumpcache.c -- */
/* Makes both tables, empty. False: no host memory. */
bool jumpcache_create(struct bt *bt);
/* Where the code for EIP runs; 0: not known. The table must be the one for the vCPU's key. */
static inline uint64_t jumpcache_find(const struct bt *bt, bool user, uint32_t eip) {
    const struct jump_cache *c = bt->jump[user].cache;
    uint32_t index = eip % JUMP_CACHE_ENTRIES;

    return c->minus_eip[index] + eip == 0 ? c->host[index] : 0;
}
/* Indirect jumps to the block's EIP go to it. */
void jumpcache_fill(struct bt *bt, const struct block *b);
/* They do no longer. */
void jumpcache_drop(struct bt *bt, const struct block *b);
/* Empties both tables: of pages of one CR3, or of everything. */
void jumpcache_flush(struct bt *bt, bool everything);
/* Blocks for `key` are to run: blocks made for another key must not be found. */
void jumpcache_use(struct bt *bt, uint32_t key);
/* The same if a table has blocks for this key. False: none has, nothing has changed. */
bool jumpcache_switch(struct bt *bt, uint32_t key);

/* -- edge.c: comparing EIP by a load that faults -- */
/* EIP minus what it was compared with, if a host page fault at this address comes of that; else 0.
 */
uint32_t edge_difference(const struct vcpu *v, uint64_t address);
/* Another EIP came there. now_ns: bt->kick_ns, here and below. */
void astray_add(struct astray *a, uint32_t eip, uint64_t now_ns);
/* Has one, in the last seconds? Perhaps also to one 64 KiB further on. */
bool astray_has(struct astray *a, uint32_t eip, uint64_t now_ns);

/* -- entry.c: indirect jumps to blocks that check EIP themselves -- */
/* Where hot code jumps to for the block's EIP: its check, or the thunk jump_check. */
uint64_t entry_door(struct bt *bt, const struct block *b);
/* Was this host page fault a check's, of an indirect jump that came to another EIP's block? If so,
 * regs lead to where jumps miss. Called with translated code interrupted. */
bool entry_refused(struct bt *bt, const struct vcpu *v, struct host_regs *regs, uint64_t address);

/* -- landing.c: where host RETs come back to -- */
/* Was this host page fault a landing's, to which RET came with another EIP? If so, regs lead to
 * where returns miss. Called with translated code interrupted. */
bool landing_refused(struct bt *bt, struct vcpu *v, struct host_regs *regs, uint64_t address);

/* -- returns.c -- */
/* Makes the stack, empty. False: no host memory. */
bool returns_create(struct bt *bt);
/* True: rsp is on the stack of translated code. */
bool returns_on_stack(const struct vcpu *v, uint64_t rsp);
/* Makes all return addresses from rsp up lead to the miss thunk: v->returns_stale is set. */
void returns_scrub(struct vcpu *v, uint64_t rsp);
/* Empties the stack if the fault at `address` is its overflow. True: run the host instruction
 * again. */
bool returns_overflow(struct vcpu *v, struct host_regs *regs, uint64_t address);

/* -- hints.c: instructions known to need the checked form -- */
/* Is the instruction at gla one? */
bool hint_get(const struct bt *bt, gla_t gla);
/* For the instruction at gla the set also knows whether its divide errors are to be foreseen. */
#define HINT_DIVIDE(gla) (~(gla))
/* The guest took a fault at this instruction. True: it has taken many of late. */
bool hint_after_fault(struct bt *bt, gla_t gla);
/* It is one from now on, unless others take its place. */
void hint_set(struct bt *bt, gla_t gla);
/* It is one for half a second at most, the first time much less. False: so many are of this kind
 * that it has taken the oldest's place. */
bool hint_set_brief(struct bt *bt, enum brief_kind kind, gla_t gla);
/* Forgets those whose time is over, and the translations that had them. Called at kicks. */
void hint_expire(struct bt *bt);

/* -- heat.c: code that much time is spent in -- */
/* A sample lay in this block. True: in code that may become hot, or has just now (bt->heated: the
 * run loop is to call heat_apply()). Called with translated code interrupted. */
bool heat_sample(struct bt *bt, const struct block *b);
/* Drops the translations of the page that has become hot, if one has. */
void heat_apply(struct bt *bt);
/* Is a block of this page and key to go on behind branches and calls? */
bool heat_extends(const struct bt *bt, const struct block *b);
/* A sample at time `now`, which counts samples, lay in the page. True: it has become hot. */
bool heat_add(struct code_page *p, uint32_t now);
/* Is the page hot at time `now`? */
bool heat_is_hot(const struct code_page *p, uint32_t now);

/* -- translate.c -- */
/* Translates the block at v->eip, which lies on this code page, for this key (with KEY_GLOBAL as
 * the page says). NULL: a fault is pending. */
struct block *translate_block(struct bt *bt, struct vcpu *v, uint32_t page, uint32_t key);

/* -- single.c: around each run of a block with KEY_SINGLE; resume: EFLAGS.RF was set -- */
/* False: a breakpoint's #DB is pending instead. */
bool single_begin(struct vcpu *v, bool resume);
/* Raises the traps due behind the instruction. */
void single_end(struct vcpu *v, bool resume, unsigned shadow_before);

/* -- thunks.c -- */
/* Emits them at the start of code memory; blocks stand behind. */
void thunks_emit(struct bt *bt);

/* -- run.c -- */
/* Runs translated code at TC offset `host` until it leaves. */
void run_enter(struct bt *bt, struct vcpu *v, uint32_t host);
/* Before any of it: the poll, the window, the stack. */
void run_arm(struct bt *bt, struct vcpu *v);
/* After a page fault of user code, v->prefill: saves the host's, unless the instruction is in
 * checked form. */
void run_prefill(const struct bt *bt, struct vcpu *v);
/* Delivers v->exc. False: triple fault, the VM stops. */
bool run_deliver_fault(struct bt *bt, struct vcpu *v);
/* Delivers what is due. False: nothing was, translated code may run. */
bool run_deliver_events(struct bt *bt, struct vcpu *v);
/* Before code of CPL 3 is looked for: its window follows what the guest has invalidated. */
void run_enter_user(struct vcpu *v);
/* The block at gla is entered: bt_recent() will tell. */
static inline void run_note(struct bt *bt, gla_t gla) {
    bt->recent[bt->recent_count++ % RECENT_BLOCKS] = gla;
}
/* True: the run loop has something to do before the guest may go on. */
static inline bool run_due(const struct vcpu *v) {
    const struct vm *vm = v->vm;

    return vm->kicked || vm->stop || v->exc.pending || (v->nmi_pending && !v->nmi_blocked) ||
           (v->intr_line && v->ifl);
}

/* -- onward.c: from C code to the next block -- */
/* Where the translation for the vCPU's state runs, if the jump cache knows. 0: it does not, or it
 * is the run loop's; v->exit_slot says what that is to do about it. */
uint64_t onward_known(struct bt *bt, struct vcpu *v);
/* C code has made translated code leave. Where its host code goes on once the stack is emptied and
 * the registers are loaded; 0: in the run loop. */
uint64_t onward_go(struct vcpu *v);

/* -- bt.c -- */
/* Place of a callout in the statistics. */
unsigned bt_callout_index(callout_fn fn);

/* -- recover.c -- */
struct recovered {
    struct block *block; /* NULL: in the return-miss thunk */
    uint32_t eip;
    enum side_fix fix;
    int32_t esp_delta;
};
/* What guest instruction the host code at TC offset `offset` belongs to. */
bool recover_at(struct bt *bt, uint32_t offset, struct recovered *out);

/* -- fault.c -- */
/* Brings struct vcpu up to date from the registers at a place that recover_at has found. */
void fault_save_state(struct vcpu *v, const struct host_regs *regs, const struct recovered *at);

#endif
