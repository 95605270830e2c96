/* Measuring a snippet (snippet.h): rounds are doubled until a run is long enough for the time stamp
 * counter, then several runs give a minimum and a median. */
#ifndef EVENTS_MEASURE_H
#define EVENTS_MEASURE_H

#include <stdint.h>

/* Runs a snippet; returns the cycles it says. */
typedef uint32_t (*measure_run_fn)(void *context, uint32_t rounds);

/* Hundredths of a cycle per round, the loop included. */
struct cost {
    uint32_t minimum, median;
};

struct cost measure(measure_run_fn run, void *context);

/* a - b, not below 0. */
struct cost cost_less(struct cost a, struct cost b);

#endif
