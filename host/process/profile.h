/*
 * -profile: where the guest's and the VMM's time goes, by sampling.
 *
 * A timer signal 997 times a second of running time (the vCPU asleep in host_wait is not running)
 * finds out what its thread is doing: which guest function, called by which, and whether the
 * processor was in its translation or in the VMM, and why there (vmm/activity.h). Equal samples are
 * counted in a table of fixed size; addresses become names at the end, and when the guest is reset.
 *
 * The file has a line per call chain in the "folded" form that flame-graph tools read:
 *
 *     kernel;start_kernel;setup_arch;[callout out];[port 0x3f8];[uart_write] 12
 *
 * outermost frame first, at the end the number of samples. What stands in brackets is the VMM's; a
 * line without is time in translated code. docs/profiling.md explains the frames.
 *
 * profile.c opens and writes the file; rt_profile.c samples, without libc and async-signal-safe.
 * rt_sample.c (what a sample says) and rt_fold.c (its line) are for the ring-0 host, too, which
 * sends the lines to its launcher (host/ring0/sample.c).
 */
#ifndef HOST_PROCESS_PROFILE_H
#define HOST_PROCESS_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "host/process/options.h"

struct bt_place;
struct text;
struct vm;

/* Opens the file and gets the memory, if the options ask for a profile. False: message says why
 * not. */
bool profile_open(const struct options *o, char message[OPTIONS_MESSAGE]);

/* Starts and stops sampling, around bt_run on this thread. */
void profile_start(const struct vm *vm);
void profile_stop(void);
/* Turns what was sampled so far into names, before guest memory is reused. Not while sampling. */
void profile_fold(void);
/* Folds and writes the file. A failure is told on standard error. */
void profile_write(void);

/* -- while the guest runs: each returns at once if there is no profile ------------------------ */

/* SIGPROF interrupted the vCPU's thread with these registers. */
void profile_sample(const struct host_regs *regs);
/* A host exception's handler begins its work, all signals blocked, and ends it. Between the two
 * samples are taken, so that the time is seen that the host kernel spends there. */
void profile_exception_begin(const struct host_regs *regs);
void profile_exception_end(const struct host_regs *regs);
/* host_wait goes to sleep; `long_time`: longer than a few samples. */
void profile_sleep_begin(bool long_time);
void profile_sleep_end(bool long_time);
/* The guest is running and no signal handler is: looks for the guest's own symbols. */
void profile_poll(void);

/* -- between these files -- */

enum { PROFILE_FRAMES = 32, PROFILE_TRANSLATED = UINT16_MAX /* in place of an activity */ };
enum { PROFILE_PERIOD_NS = 1003009 /* 997 Hz: in step with no guest's clock */ };
enum { PROFILE_LINE_BYTES = 8192 }; /* a chain at most, and a NUL */

enum profile_mode {
    PROFILE_RING0,
    PROFILE_RING1,
    PROFILE_RING2,
    PROFILE_USER,
    PROFILE_REAL,
    PROFILE_VM86
};

/* A kind of sample. All bytes count when two are compared. */
struct profile_entry {
    uint16_t activity; /* enum activity */
    uint16_t port;     /* of IN and OUT */
    uint8_t mode;      /* enum profile_mode */
    uint8_t frames;
    uint16_t unused;
    uint32_t own;                   /* the VMM's function: address as linked; 0 not known */
    uint32_t place[PROFILE_FRAMES]; /* linear addresses: innermost first, then return addresses */
};

struct profile {
    int timer; /* -1: no profile is wanted */
    struct profile_entry *entries;
    uint32_t *counts; /* 0: the entry is free */
    uint64_t lost;    /* samples for which there was no room */
};

enum { PROFILE_ENTRIES = 128 << 10 };

extern struct profile profile;

/* Fills *e: the guest is at `place` and the host does `activity` for it, at the address rip of the
 * VMM's own code (0: not there). */
void profile_describe(struct profile_entry *e, const struct vm *vm, const struct bt_place *place,
                      unsigned activity, uint64_t rip);
/* Counts a sample. */
void profile_count(const struct profile_entry *e);
/* Appends the frames, with semicolons between. */
void profile_add_chain(struct text *t, const struct profile_entry *e);
/* Adds samples of a chain to what will be written. */
void profile_add_line(const char *chain, uint64_t count);

#endif
