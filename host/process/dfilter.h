/*
 * -dfilter: which guest code the trace is about. Code: rt_dfilter.c.
 */
#ifndef HOST_PROCESS_DFILTER_H
#define HOST_PROCESS_DFILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "host/process/options.h"

enum { DFILTER_ITEMS = 32, DFILTER_NAME_BYTES = 128 };

struct dfilter {
    struct dfilter_item {
        uint32_t first, last;
        char name[DFILTER_NAME_BYTES]; /* "": the range above */
    } items[DFILTER_ITEMS];
    unsigned count; /* 0: no filter */
};

/* Reads a list with commas of START+LENGTH, START-LENGTH (ending before START), START..LAST,
 * numbers as in C, and of symbols' names. False: message says what is wrong. */
bool dfilter_parse(struct dfilter *f, const char *list, char message[OPTIONS_MESSAGE]);

/* Whether the trace is about the code at this linear address. */
bool dfilter_passes(const struct dfilter *f, uint32_t gla);

#endif
