/*
 * The command line, parsed once into a struct that is passed down. Option names are QEMU's.
 */
#ifndef HOST_PROCESS_OPTIONS_H
#define HOST_PROCESS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vm.h"

/* Where a character channel leads. */
enum chr_kind { CHR_NULL, CHR_STDIO, CHR_MON_STDIO /* with Ctrl-A keys */, CHR_FILE, CHR_PTY };

struct chr_option {
    enum chr_kind kind;
    const char *path; /* CHR_FILE only */
};

enum { OPTIONS_DISKS = 4 };

/* A raw disk image. */
struct disk_option {
    const char *option; /* which option gave it */
    const char *path;   /* NULL: no disk */
    bool read_only;
    bool snapshot; /* the file stays as it is */
};

struct options {
    uint64_t ram_bytes;
    const char *kernel; /* NULL: the firmware boots */
    const char *bios;   /* NULL: none */
    struct disk_option disk[OPTIONS_DISKS];
    const char *screendump; /* file for the text screen at exit, or NULL */
    bool nographic;
    const char *initrd; /* NULL, or as given: FILE, or Multiboot's FILE ARGUMENTS,... */
    const char *append;
    struct chr_option serial, debugcon;
    bool no_reboot;
    bool stats;
    const char *profile; /* NULL: none; profile.h */
    bool sandbox;
    bool ring0;             /* accel_ring0.h */
    uint32_t log_mask;      /* enum host_log */
    const char *log_path;   /* NULL: standard error */
    const char *log_filter; /* NULL: none; dfilter.h */
    const char *symbols;    /* NULL: none; symbols.h */
    enum vm_form form;      /* -accel process,form=checked|direct: vmm/vm.h */
    const char *coverage;   /* where to list the instructions translated; NULL nowhere */
    bool panic_on_signal;   /* panic.h */
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_HELP,    /* options_help is to be shown */
    OPTIONS_VERSION, /* options_version likewise */
    OPTIONS_BAD,     /* the message says what is wrong */
};

enum { OPTIONS_MESSAGE = 256 };

/* Parses argv[1..]. Strings in *o point into argv. The message has no newline and no program name.
 */
enum options_result options_parse(int argc, char **argv, struct options *o,
                                  char message[OPTIONS_MESSAGE]);

/* Texts for -help (fits 80 columns and 24 lines) and -version, newline included. */
void options_help(char *text, size_t size);
extern const char options_version[];

#endif
