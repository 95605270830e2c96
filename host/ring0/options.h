/*
 * The options module: a boot module whose first line is OPTIONS_MAGIC. Every other line is one
 * option of the process host's command line, name and value separated by a space; a line that does
 * not begin with "-" is a comment.
 */
#ifndef HOST_RING0_OPTIONS_H
#define HOST_RING0_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_MAGIC "# ringone options"

struct options {
    uint64_t ram_bytes;
    const char *append;
    bool no_reboot;
    bool stats;
    bool selftest;                                  /* selftest.h */
    uint32_t random_first, random_count, random_ms; /* selftest_random; count 0: none */
    uint32_t limit_ms;      /* the VM ends after this time; 0: when it likes */
    uint32_t disks;         /* mask: which of the machine's disks are the guest's (blk.h) */
    bool vga_bios;          /* behind the boot ROM comes a VGA BIOS */
    bool serial_console;    /* the boot ROM's screen and keyboard is COM1, too */
    bool bios;              /* the first module but this is the boot ROM */
    bool debugcon;          /* the guest's debug console is the machine's */
    bool keys;              /* Ctrl-A on COM1 is the prefix of the VMM's own keys */
    bool profile;           /* sample.h */
    bool screendump;        /* the text screen goes to the launcher at the end */
    bool symbols;           /* the first of all other modules is a symbol module (names.h) */
    const char *log_filter; /* NULL: none */
    uint32_t log_mask;
    unsigned messages; /* serial port of the VMM's own messages (serial.h) */
    uint16_t exit_port;
    uint16_t channel_port; /* channel.h; 0: none */
};

void options_default(struct options *o);
/* True: this module holds options. */
bool options_is(const char *text, size_t size);
/* Parses the text and cuts it up: strings in *o point into it. NULL, or what is wrong. */
const char *options_parse(char *text, size_t size, struct options *o);

#endif
