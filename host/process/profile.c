/*
 * Writing the profile (profile.h).
 */
#include "host/process/profile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "host/process/clock.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "vmm/activity.h"

enum { LINE_BYTES = 8192, NAME_BYTES = 128 };

struct line {
    char *text;
    uint64_t count;
};

static FILE *file;
static struct line *lines;
static size_t line_count, line_room;

bool profile_open(const struct options *o, char message[OPTIONS_MESSAGE]) {
    if (o->profile == NULL)
        return true;
    file = fopen(o->profile, "we");
    if (file == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-profile: cannot write '%.150s': %s", o->profile,
                 strerror(errno));
        return false;
    }
    profile.entries = host_alloc(PROFILE_ENTRIES * sizeof *profile.entries);
    profile.counts = host_alloc(PROFILE_ENTRIES * sizeof *profile.counts);
    profile.timer = clock_create_timer(SIGPROF);
    if (profile.entries == NULL || profile.counts == NULL || profile.timer < 0)
        snprintf(message, OPTIONS_MESSAGE, "-profile: the host has no memory or timer for it");
    return profile.entries != NULL && profile.counts != NULL && profile.timer >= 0;
}

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

static void add_line(const char *text, uint64_t count) {
    if (line_count == line_room) {
        size_t room = line_room != 0 ? line_room * 2 : 1024;
        struct line *more = realloc(lines, room * sizeof *lines);
        if (more == NULL) {
            profile.lost += count;
            return;
        }
        lines = more;
        line_room = room;
    }
    char *copy = strdup(text);
    if (copy == NULL)
        profile.lost += count;
    else
        lines[line_count++] = (struct line){copy, count};
}

static void fold_entry(const struct profile_entry *e, uint64_t count) {
    static const char *const modes[] = {
        [PROFILE_RING0] = "kernel", [PROFILE_RING1] = "ring 1",   [PROFILE_RING2] = "ring 2",
        [PROFILE_USER] = "user",    [PROFILE_REAL] = "real mode", [PROFILE_VM86] = "vm86"};
    static char buffer[LINE_BYTES];
    struct text t;
    text_begin(&t, buffer, sizeof buffer);
    text_add(&t, "%s", modes[e->mode]);
    for (unsigned i = e->frames; i > 1; i--)
        add_guest_frame(&t, e->place[i - 1] - 1); /* the call, which is its function's for sure */
    add_guest_frame(&t, e->place[0]);
    add_activity(&t, e);
    add_line(buffer, count);
}

void profile_fold(void) {
    if (profile.timer < 0)
        return;
    for (unsigned n = 0; n < PROFILE_ENTRIES; n++)
        if (profile.counts[n] != 0)
            fold_entry(&profile.entries[n], profile.counts[n]);
    memset(profile.counts, 0, PROFILE_ENTRIES * sizeof *profile.counts);
}

static int compare(const void *a, const void *b) {
    return strcmp(((const struct line *)a)->text, ((const struct line *)b)->text);
}

void profile_write(void) {
    if (profile.timer < 0)
        return;
    profile_fold();
    if (line_count > 0)
        qsort(lines, line_count, sizeof *lines, compare);
    for (size_t i = 0; i < line_count;) {
        uint64_t count = 0;
        size_t first = i;
        for (; i < line_count && strcmp(lines[i].text, lines[first].text) == 0; i++)
            count += lines[i].count;
        fprintf(file, "%s %llu\n", lines[first].text, (unsigned long long)count);
    }
    if (profile.lost > 0)
        fprintf(file, "[lost] %llu\n", (unsigned long long)profile.lost);
    if (fflush(file) != 0)
        fprintf(stderr, "ringone: -profile: %s\n", strerror(errno));
}
