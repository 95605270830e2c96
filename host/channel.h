/*
 * What the ring-0 VMM and the Linux process that started it tell each other, beside the guest's
 * console (docs/ring0.md).
 *
 * To the launcher: lines of text through a debug port of the emulated PC's. The first character
 * says what the rest is about, the line feed ends it. No line holds other control characters than
 * tabs, so what a guest has made the VMM show cannot pass for a line of its own; the launcher cuts
 * off what is longer than CHANNEL_LINE_BYTES.
 *
 * To the VMM: single characters, as input of the serial port that takes its messages.
 */
#ifndef HOST_CHANNEL_H
#define HOST_CHANNEL_H

enum channel_kind {
    CHANNEL_SCREEN = 'S',  /* a row of the guest's text screen, at the end */
    CHANNEL_TRACE = 'T',   /* a line of the trace */
    CHANNEL_PROFILE = 'P', /* samples: how many, a space, their call chain (profile.h) */
    CHANNEL_LOST = 'L',    /* samples that the table had no room for: how many */
    /* an instruction for the trace, 16-, 32- and 64-bit code: address, place, bytes, names; the
     * numbers hexadecimal, tabs between */
    CHANNEL_CODE16 = '1',
    CHANNEL_CODE32 = '3',
    CHANNEL_CODE64 = '6',
};

enum { CHANNEL_LINE_BYTES = 16384 }; /* without the line feed */

enum channel_request {
    CHANNEL_QUIT = 'q',        /* end the VM */
    CHANNEL_PANIC = 'p',       /* for tests: panic, soon */
    CHANNEL_PANIC_THERE = 'P', /* and wherever the VMM is just now */
};

#endif
