/*
 * A sample as a line of the profile (profile.h). For both hosts.
 */
#include "bt/bt.h"
#include "host/process/profile.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "vmm/activity.h"

enum { NAME_BYTES = 128 };

/* A frame with a name of the guest's: a semicolon would end it. */
static void add_frame(struct text *t, const char *name) {
    text_add(t, ";");
    for (unsigned i = 0; i < NAME_BYTES && name[i] != '\0'; i++)
        text_add(t, "%c", name[i] == ';' ? ':' : name[i]);
}

static void add_guest_frame(struct text *t, uint32_t gla) {
    struct symbol_place place;
    if (symbols_find(gla, &place) && place.name[0] != '\0')
        add_frame(t, place.name);
    else
        text_add(t, ";0x%08x", gla & ~4095u);
}

static void add_activity(struct text *t, const struct profile_entry *e) {
    static const char *const names[] = {
        [ACTIVITY_RUN_LOOP] = "run loop",
        [ACTIVITY_TRANSLATE] = "translating",
        [ACTIVITY_DELIVER] = "event delivery",
        [ACTIVITY_ACCESS] = "checked access",
        [ACTIVITY_SEGMENT] = "segment check",
        [ACTIVITY_EXCEPTION] = "host exception",
        [ACTIVITY_FILL] = "window fill",
        [ACTIVITY_GUEST_FAULT] = "guest page fault",
        [ACTIVITY_CODE_WRITE] = "code overwritten",
        [ACTIVITY_WINDOWS] = "window update",
        [ACTIVITY_DEVICES] = "devices",
        [ACTIVITY_MMIO] = "MMIO",
        [ACTIVITY_HOST] = "host input and output",
    };
    if (e->activity == PROFILE_TRANSLATED)
        return;
    if (e->activity < ACTIVITY_CALLOUTS)
        text_add(t, ";[callout %s]", bt_callout_name(e->activity));
    else
        text_add(t, ";[%s]", names[e->activity]);
    if (e->activity < ACTIVITY_CALLOUTS && bt_callout_does_io(e->activity))
        text_add(t, ";[port 0x%x]", e->port);
    const char *own = symbols_own_name(e->own);
    if (own != NULL)
        text_add(t, ";[%.128s]", own);
}

void profile_add_chain(struct text *t, const struct profile_entry *e) {
    static const char *const modes[] = {
        [PROFILE_RING0] = "kernel", [PROFILE_RING1] = "ring 1",   [PROFILE_RING2] = "ring 2",
        [PROFILE_USER] = "user",    [PROFILE_REAL] = "real mode", [PROFILE_VM86] = "vm86"};
    text_add(t, "%s", modes[e->mode]);
    for (unsigned i = e->frames; i > 1; i--)
        add_guest_frame(t, e->place[i - 1] - 1); /* the call, which is its function's for sure */
    add_guest_frame(t, e->place[0]);
    add_activity(t, e);
}
