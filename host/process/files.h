/*
 * Reading the firmware, kernel, initrd and modules that the command line names. An initrd may be
 * large, so it goes from its file straight into guest memory, each time the guest starts.
 */
#ifndef HOST_PROCESS_FILES_H
#define HOST_PROCESS_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

#include "host/process/options.h"
#include "vmm/load.h"

enum { FILES_MODULES_MAX = 64 };

/* Where the kernel or a module comes from. */
struct file_source {
    int fd;
    bool again; /* fd can be read once more: a regular file */
    struct stat as_found;
};

/* Everything load_kernel wants, until files_release. */
struct files {
    struct load_blob bios, vga_bios; /* size 0: none */
    struct load_request request;
    struct load_module modules[FILES_MODULES_MAX];
    struct file_source kernel_source, sources[FILES_MODULES_MAX];
    char *list;                    /* -initrd's value, cut up; the modules' args point into it */
    char message[OPTIONS_MESSAGE]; /* after LOAD_INITRD_LOST: why */
};

/* Reads one file into memory from malloc. False: message says "option: cannot read ...". */
bool files_read_one(const char *option, const char *path, struct load_blob *blob,
                    char message[OPTIONS_MESSAGE]);

/* Reads what -kernel or -bios name, and of -initrd what is not in a regular file; those are read by
 * load_kernel(). A Multiboot module list is "FILE ARGS,FILE ARGS"; a comma within is written twice.
 * False: message says which file and why. */
bool files_read(const struct options *o, struct files *f, char message[OPTIONS_MESSAGE]);

/* Where the VGA BIOS of this boot ROM's package is: memory from malloc. NULL: there is none, or no
 * memory. */
char *files_vga_bios(const char *bios);

/* The kernel is in guest memory now: gives back its own, if it can be read again. */
void files_put_away(struct files *f);
/* Reads it again, for the guest to start again. False: message says whether it has changed or
 * cannot be read. */
bool files_fetch(struct files *f, char message[OPTIONS_MESSAGE]);

/* Gives the kernel's and the modules' memory back, where the guest will not be started again. */
void files_release(struct files *f);

#endif
