/*
 * Going on behind C code that has changed what runs next: a system call or the return from one, a
 * fault of a checked operand, a load of a control register. As a rule nothing is to be done then
 * but to find the next block, and the jump cache has it. So what C code would leave translated code
 * for is looked at here, still below the thunk that has called it; the run loop is for the rest.
 *
 * That saves more than its instructions: the processor predicts host returns by host calls, and
 * leaving by way of the run loop returns to where none came from.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"
#include "vmm/activity.h"

uint64_t onward_known(struct bt *bt, struct vcpu *v) {
    uint32_t key = key_of(v, false);
    unsigned user = vcpu_user(v);

    if (key & KEY_RUN_LOOP || !(key & KEY_FLAT(SEG_CS)))
        return 0;
    v->exit_slot = EXIT_ONWARD; /* the run loop will enter it */
    if (bt->jump[user].key != key && !jumpcache_switch(bt, key))
        return 0;
    return jumpcache_find(bt, user, v->eip);
}

/* Delivers all that waits. False: the run loop has something to do first. */
static bool deliver(struct bt *bt, struct vcpu *v) {
    const struct vm *vm = v->vm;

    v->activity = ACTIVITY_DELIVER;
    do {
        if (vm->kicked || vm->stop)
            return false;
    } while (run_deliver_events(bt, v));
    v->activity = ACTIVITY_RUN_LOOP;
    return true;
}

uint64_t onward_go(struct vcpu *v) {
    struct bt *bt = v->vm->bt;

    v->exit_slot = 0;
    if (bt->run_loop_next)
        return 0;
    v->tc_rsp = 0;
    v->activity = ACTIVITY_RUN_LOOP;
    if (v->halted || (run_due(v) && !deliver(bt, v)))
        return 0;
    if (v->prefill)
        run_prefill(bt, v);
    if (vcpu_user(v)) {
        if (host_user_can())
            return 0;
        run_enter_user(v);
    }
    uint64_t host = onward_known(bt, v);
    if (!host)
        return 0;
    v->exit_slot = 0;
    v->sysflags &= ~EFL_RF; /* as in run_translated() */
    run_note(bt, v->eip);
    bt->stats.onward++;
    run_arm(bt, v);
    return host;
}
