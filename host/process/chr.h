/*
 * Character channels: what the guest's serial port and debug console are connected to.
 * chr.c opens and closes them, rt_chr.c carries bytes while the guest runs.
 *
 * Output is collected and written when the guest halts, at every kick (10 ms at most) and when the
 * buffer is half full, so that a character does not cost a system call. Nothing here ever blocks
 * the virtual CPU for longer than one small write.
 */
#ifndef HOST_PROCESS_CHR_H
#define HOST_PROCESS_CHR_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/process/options.h"

/* The numbers that the core uses in host_chr_*. */
enum { CHR_SERIAL, CHR_DEBUGCON, CHR_CHANNELS };

enum { CHR_IN_BYTES = 4096, CHR_OUT_BYTES = 65536 };

struct chr {
    int in_fd;  /* -1: no input, or its end was reached */
    int out_fd; /* -1: output is thrown away */
    bool keys;  /* Ctrl-A is the prefix of our own keys */
    bool prefix_seen;
    size_t in_head, in_count; /* ring */
    size_t out_count;
    uint8_t in[CHR_IN_BYTES];
    uint8_t out[CHR_OUT_BYTES];
};

extern struct chr chr_channels[CHR_CHANNELS];

/* -- start and end (chr.c) -- */

/* Opens the channel. False: message says why not. */
bool chr_open(unsigned channel, const char *option, const struct chr_option *c,
              char message[OPTIONS_MESSAGE]);
/* Writes out what is left, waiting up to a second for a slow reader. */
void chr_finish(void);

/* -- while the guest runs (rt_chr.c) -- */

/* Reads pending input and writes collected output, as far as both go without waiting. True: there
 * was input. */
bool chr_service(void);
/* Fills fds for ppoll; returns how many (at most 2 * CHR_CHANNELS). */
unsigned chr_poll_set(struct pollfd *fds);
/* What Ctrl-A X does; called from chr_service. Set by main. */
extern void (*chr_on_quit)(void);
/* Whose screen Ctrl-A S shows. Set by main. */
struct vm;
extern const struct vm *chr_machine;

#endif
