/*
 * What a sample says, and the table that counts samples (profile.h). For both hosts.
 */
#include "bt/bt.h"
#include "host/process/guest_stack.h"
#include "host/process/profile.h"
#include "host/process/symbols.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/activity.h"
#include "vmm/vm.h"

enum { PROBES = 64 };

struct profile profile = {.timer = -1};

void profile_count(const struct profile_entry *e) {
    const uint8_t *bytes = (const uint8_t *)e;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *e; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t n = (hash + i) % PROFILE_ENTRIES;
        if (profile.counts[n] == 0)
            profile.entries[n] = *e;
        else if (memcmp(&profile.entries[n], e, sizeof *e) != 0)
            continue;
        profile.counts[n]++;
        return;
    }
    profile.lost++;
}

static enum profile_mode mode_of(const struct bt_place *place) {
    if (place->real)
        return place->cpl == 3 ? PROFILE_VM86 : PROFILE_REAL;
    return (enum profile_mode)place->cpl;
}

/* Equal for all of a function if its name is known by now, so that the table stays small. */
static uint32_t coarse(enum profile_mode mode, uint32_t gla) {
    uint32_t start;
    if (symbols_start(gla, &start))
        return start;
    /* a kernel's may still get names; a user program's hardly ever do */
    return mode == PROFILE_RING0 ? gla : gla & PAGE_MASK;
}

/* Whether it is a page that user code cannot reach. What an interrupt has pushed is no frame: the
 * chain goes on with EBP of the user code that was interrupted. */
static bool kernel_page(const struct vcpu *v, uint32_t gla) {
    struct gwalk w;
    bool accessed;
    return !gwalk_paging(v) || (gwalk_peek(v, gla, MMU_R, &w, &accessed) && !w.user);
}

static void add_callers(struct profile_entry *e, const struct vcpu *v,
                        const struct bt_place *place) {
    uint32_t callers[PROFILE_FRAMES - 1], reached = place->esp, start;
    bool kernel = kernel_page(v, place->gla);
    unsigned n = 0;
    if (symbols_start(place->gla, &start)) {
        callers[0] = guest_stack_leaf(v, start, place->gla, place->esp);
        n = callers[0] != 0;
    }
    n += guest_stack_walk(v, place->ebp, &reached, callers + n, PROFILE_FRAMES - 1 - n);
    for (unsigned i = 0; i < n && kernel_page(v, callers[i]) == kernel; i++)
        e->place[e->frames++] = coarse(e->mode, callers[i] - 1) + 1;
}

void profile_describe(struct profile_entry *e, const struct vm *vm, const struct bt_place *place,
                      unsigned activity, uint64_t rip) {
    const struct vcpu *v = &vm->vcpu;
    *e = (struct profile_entry){
        .mode = (uint8_t)mode_of(place), .frames = 1, .activity = (uint16_t)activity};
    e->place[0] = coarse(e->mode, place->gla);
    if (rip != 0)
        symbols_own_start(rip, &e->own);
    if (e->activity < ACTIVITY_CALLOUTS && bt_callout_does_io(e->activity))
        e->port = v->activity_port;
    if (e->mode == PROFILE_RING0)
        add_callers(e, v, place);
}
