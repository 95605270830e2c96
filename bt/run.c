/*
 * The run loop: events, dispatch, translated code. Everything that changes what may run next passes
 * through here, or through onward.c for the usual of it.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"
#include "bt/native.h"
#include "mmu/mmu.h"
#include "vmm/activity.h"
#include "vmm/cpu.h"
#include "vmm/fpu_error.h"
#include "vmm/tsc.h"

typedef void (*enter_fn)(struct vcpu *v, void *host);

/* R13's value once translated code runs, and once IF is set: the poison page if anything waits. */
static void arm_poll(struct bt *bt, struct vcpu *v) {
    uint64_t cache = (uint64_t)(uintptr_t)bt->jump[vcpu_user(v)].cache;
    uint64_t poison = (uint64_t)(uintptr_t)bt->poison;

    v->jc_now = v->jc_sti = cache;
    v->sti_exits = false;
    if (v->intr_line || (v->nmi_pending && !v->nmi_blocked)) {
        v->jc_sti = poison;
        v->jc_now = v->ifl ? poison : cache;
        v->sti_exits = true;
    }
    /* a kick that came in between must not be lost */
    __asm__ volatile("" ::: "memory");
    if (v->vm->kicked || v->vm->stop) {
        v->jc_now = v->jc_sti = poison;
        v->sti_exits = true;
    }
}

/* The translation to run at v->eip; NULL: a fault is pending. */
static struct block *find_block(struct bt *bt, struct vcpu *v, uint32_t key) {
    const struct seg *cs = &v->seg[SEG_CS];
    gla_t gla = cs->base + v->eip;
    unsigned user = vcpu_user(v);
    uint32_t page;

    if (v->eip > cs->limit) {
        vcpu_raise_error(v, VEC_GP, 0);
        return NULL;
    }
    codepage_make_room(bt);
    page = codepage_cached(bt, v, gla, user);
    if (!page)
        page = codepage_lookup(bt, v, gla);
    if (!page)
        return NULL;
    if (bt->pages[page].global)
        key |= KEY_GLOBAL;
    struct block *b = block_find(bt, page, gla, v->eip, key, cs->limit);
    if (b && b->page2) {
        /* the second page may have moved to another frame since */
        uint32_t now = codepage_lookup(bt, v, (gla & PAGE_MASK) + PAGE_SIZE);
        if (!now)
            return NULL;
        if (now != b->page2) {
            block_kill(bt, b);
            b = NULL;
        }
    }
    if (!b) {
        uint32_t before = activity_begin(v, ACTIVITY_TRANSLATE);
        uint64_t start = bt->vm->counting ? tsc_host() : 0;
        b = translate_block(bt, v, page, key);
        if (start)
            bt->stats.translate_tsc += tsc_host() - start;
        activity_end(v, before);
    }
    return b;
}

/* Both are hot user code on pages of the present address space; what is not called in the end need
 * not be hot. */
static bool may_skip_check(const struct bt *bt, const struct vcpu *v, const struct block *from,
                           const struct block_exit *x, const struct block *to) {
    return key_user(from->key) && heat_extends(bt, from) && (x->pc_thunk || heat_extends(bt, to)) &&
           !from->page2 && !to->page2 && !((from->key | to->key) & KEY_GLOBAL) &&
           codepage_cached(bt, v, from->gla, true) == from->page &&
           codepage_cached(bt, v, to->gla, true) == to->page;
}

/* Links the exit that brought us here to the block it goes to. */
static void link_exit(struct bt *bt, const struct vcpu *v, struct block *from, uint64_t slot,
                      struct block *to) {
    if (slot <= EXIT_ONWARD) {
        bt->stats.jump_misses += slot == EXIT_JUMP;
        if (!(to->key & KEY_SINGLE))
            jumpcache_fill(bt, to);
        return;
    }
    unsigned n = (unsigned)(slot - 2) % BLOCK_EXITS;
    const struct block_exit *x;
    if (!from->page || to->key & KEY_SINGLE || ((from->key ^ to->key) & ~(uint32_t)KEY_GLOBAL))
        return;
    /* an unchecked chain may only lead where no check is needed */
    x = &block_exits(bt, from)[n];
    if (!x->check && to->page != from->page && !(to->key & KEY_GLOBAL))
        return;
    if (x->target != to->eip)
        return;
    block_chain(bt, from, n, to);
    /* it may have a chain already, to what was there before the mapping changed */
    if (x->to == block_number(bt, to) && may_skip_check(bt, v, from, x, to) &&
        links_join(bt, from->page, to->page))
        block_skip_check(bt, from, n);
}

/* The exit that translated code left through knows where it goes. */
static void take_exit(struct bt *bt, struct vcpu *v) {
    uint64_t slot = v->exit_slot;

    if (slot > EXIT_ONWARD)
        v->eip =
            block_exits(bt, &bt->blocks[(slot - 2) / BLOCK_EXITS])[(slot - 2) % BLOCK_EXITS].target;
}

void run_prefill(const struct bt *bt, struct vcpu *v) {
    v->prefill = false;
    if (vcpu_user(v) && !hint_get(bt, v->seg[SEG_CS].base + v->eip)) {
        uint32_t before = activity_begin(v, ACTIVITY_FILL);
        mmu_prefill(v, v->cr2);
        activity_end(v, before);
    }
}

void run_arm(struct bt *bt, struct vcpu *v) {
    arm_poll(bt, v);
    host_set_window(vcpu_user(v), v->window_base[vcpu_user(v)]);
    v->returns_stale = false; /* the stack of translated code starts empty */
}

void run_enter(struct bt *bt, struct vcpu *v, uint32_t host) {
    enter_fn enter = (enter_fn)(uintptr_t)(bt->code.rx + bt->thunk_enter);

    enter(v, bt->code.rx + host);
    take_exit(bt, v);
    v->activity = ACTIVITY_RUN_LOOP;
    v->tc_rsp = 0;
}

void run_enter_user(struct vcpu *v) {
    uint32_t before = activity_begin(v, ACTIVITY_WINDOWS);
    mmu_enter_user(v);
    activity_end(v, before);
}

static void run_translated(struct bt *bt, struct vcpu *v) {
    if (vcpu_user(v))
        run_enter_user(v);
    uint32_t key = key_of(v, bt->native_refused);
    uint8_t shadow = v->shadow;
    /* RF is cleared by the instruction that it lets pass a breakpoint. Where none is enabled no
     * one can tell when: PUSHF does not show it, and faults push it set. */
    bool resume = v->sysflags & EFL_RF;
    struct block *b;
    struct block *from = NULL;
    uint64_t slot = v->exit_slot;

    if (slot > EXIT_ONWARD)
        from = &bt->blocks[(slot - 2) / BLOCK_EXITS];
    bt->native_refused = false;
    bt->stats.dispatches++;
    v->sysflags &= ~EFL_RF;
    if (key & KEY_SINGLE && !single_begin(v, resume))
        return;
    b = find_block(bt, v, key);
    if (!b) {
        v->exit_slot = 0;
        return;
    }
    run_note(bt, b->gla);
    if (!(key & KEY_SINGLE))
        jumpcache_use(bt, key);
    if (slot)
        link_exit(bt, v, from, slot, b);
    v->exit_slot = 0;
    run_arm(bt, v);
    bt->run_loop_next = key & KEY_RUN_LOOP;
    run_enter(bt, v, block_entry(b));
    bt->run_loop_next = false;
    if (key & KEY_FERR)
        fpu_error_settle(v);
    if (key & KEY_SINGLE)
        single_end(v, resume, shadow);
}

static void service(struct vcpu *v) {
    uint32_t before = activity_begin(v, ACTIVITY_DEVICES);
    board_service(v->vm);
    activity_end(v, before);
}

static void poll_host(struct vcpu *v) {
    uint32_t before = activity_begin(v, ACTIVITY_HOST);
    host_poll();
    activity_end(v, before);
}

static void wait_for_host(struct vcpu *v) {
    uint32_t before = activity_begin(v, ACTIVITY_HOST);
    host_wait(board_next_deadline(v->vm));
    host_poll();
    activity_end(v, before);
}

static void halt(struct bt *bt, struct vcpu *v) {
    struct vm *vm = v->vm;
    uint64_t start = host_clock_ns();

    while (v->halted && !vm->stop) {
        service(v);
        if (cpu_can_interrupt(v) || v->nmi_pending || v->exc.pending)
            break;
        vm->kicked = false;
        wait_for_host(v);
    }
    v->halted = false;
    bt->kick_ns = host_clock_ns(); /* no kicks came meanwhile, and no time was run */
    bt->stats.halt_ns += bt->kick_ns - start;
    if (mmu_view_tick(v))
        v->exit_slot = 0;
}

bool run_deliver_fault(struct bt *bt, struct vcpu *v) {
    bt->stats.exceptions++;
    v->exit_slot = 0;
    v->shadow = SHADOW_NONE;
    v->dr6_hits = 0; /* of an instruction that faulted */
    if (cpu_deliver_pending(v))
        return true;
    vm_request_stop(v->vm, VM_STOP_TRIPLE_FAULT);
    return false;
}

bool run_deliver_events(struct bt *bt, struct vcpu *v) {
    struct vm *vm = v->vm;

    if (v->exc.pending) {
        run_deliver_fault(bt, v);
        return true;
    }
    if (v->nmi_pending && !v->nmi_blocked && v->shadow == SHADOW_NONE) {
        v->nmi_pending = false;
        v->nmi_blocked = true;
        v->halted = false;
        v->exit_slot = 0;
        cpu_deliver(v, VEC_NMI, EVENT_EXTERNAL, false, 0);
        return true;
    }
    if (cpu_can_interrupt(v)) {
        bt->stats.interrupts++;
        v->halted = false;
        v->exit_slot = 0;
        cpu_deliver(v, board_intr_ack(vm), EVENT_EXTERNAL, false, 0);
        return true;
    }
    return false;
}

void bt_run(struct vcpu *v) {
    struct vm *vm = v->vm;
    struct bt *bt = vm->bt;

    bt->run_start_ns = host_clock_ns();
    while (!vm->stop) {
        if (vm->kicked) {
            vm->kicked = false;
            poll_host(v);
            service(v);
            heat_apply(bt);
            hint_expire(bt);
            if (mmu_view_tick(v))
                v->exit_slot = 0;
        }
        v->activity = ACTIVITY_DELIVER;
        if (run_deliver_events(bt, v))
            continue;
        v->activity = ACTIVITY_RUN_LOOP;
        if (v->prefill)
            run_prefill(bt, v);
        if (v->halted)
            halt(bt, v);
        else if (!native_run(v))
            run_translated(bt, v);
    }
    bt->stats.run_ns += host_clock_ns() - bt->run_start_ns;
}
