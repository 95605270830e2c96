/*
 * Writing the profile (profile.h).
 */
#include "host/process/profile.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/process/clock.h"
#include "host/process/text.h"

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
    if (o->ring0) /* samples are taken there */
        return true;
    profile.entries = host_alloc(PROFILE_ENTRIES * sizeof *profile.entries);
    profile.counts = host_alloc(PROFILE_ENTRIES * sizeof *profile.counts);
    profile.timer = clock_create_timer(SIGPROF);
    if (profile.entries == NULL || profile.counts == NULL || profile.timer < 0)
        snprintf(message, OPTIONS_MESSAGE, "-profile: the host has no memory or timer for it");
    return profile.entries != NULL && profile.counts != NULL && profile.timer >= 0;
}

void profile_add_line(const char *chain, uint64_t count) {
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
    char *copy = strdup(chain);
    if (copy == NULL)
        profile.lost += count;
    else
        lines[line_count++] = (struct line){copy, count};
}

static void fold_entry(const struct profile_entry *e, uint64_t count) {
    static char buffer[PROFILE_LINE_BYTES];
    struct text t;
    text_begin(&t, buffer, sizeof buffer);
    profile_add_chain(&t, e);
    profile_add_line(buffer, count);
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
    if (file == NULL)
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
