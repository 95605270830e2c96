/*
 * The guest's LDT for user code that runs natively (Intel SDM vol. 3A section 3.5.1): a copy of its
 * descriptors of DPL 3, which the processor uses as its own LDT. It is compared with the guest's
 * table before each run, as the GDT is (native.c).
 */
#include "bt/bt_priv.h"
#include "bt/native.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/vcpu.h"

enum { ENTRIES_MAX = 8192, CHUNK = 64 };

bool native_ldt_create(struct native_ldt *l) {
    l->guest = host_alloc(ENTRIES_MAX * sizeof *l->guest);
    l->user = host_alloc(ENTRIES_MAX * sizeof *l->user);
    return l->guest && l->user;
}

static unsigned guest_entries(const struct vcpu *v) {
    if (!(v->ldtr.attr & SEG_P))
        return 0;
    return v->ldtr.limit / 8 >= ENTRIES_MAX ? ENTRIES_MAX : (v->ldtr.limit + 1) / 8;
}

bool native_ldt_follow(const struct vcpu *v, struct native_ldt *l) {
    unsigned entries = guest_entries(v);
    bool changed = entries != l->entries;

    for (unsigned at = 0; at < entries; at += CHUNK) {
        unsigned n = entries - at < CHUNK ? entries - at : CHUNK;
        uint64_t now[CHUNK] = {0}; /* what cannot be read is absent */
        mmu_peek(v, v->ldtr.base + at * 8, now, n * 8);
        if (entries == l->entries && memcmp(now, l->guest + at, n * sizeof *now) == 0)
            continue;
        changed = true;
        for (unsigned i = 0; i < n; i++) {
            l->guest[at + i] = now[i];
            l->user[at + i] = native_user_descriptor(now[i]);
        }
    }
    l->entries = entries;
    return changed;
}
