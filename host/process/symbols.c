/*
 * Reading symbol files at start-up (symbols.h).
 */
#include "host/process/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/files.h"
#include "host/process/symfile.h"

/* Room for a Linux kernel's own table: the largest have 300,000 symbols. Touched when one is found.
 */
enum { LIVE_SYMBOLS = 512 << 10, LIVE_NAME_BYTES = 16 << 20 };

struct symbols symbols;

static void read_lines(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    lines_read(&symbols.lines, fd);
    close(fd);
}

static bool read_named(const char *path, char message[OPTIONS_MESSAGE]) {
    struct load_blob file;
    if (!files_read_one("-symbols", path, &file, message))
        return false;
    bool elf = symfile_is_elf(&file);
    bool good =
        elf ? symfile_read_elf(&file, &symbols.file) : symfile_read_map(&file, &symbols.file);
    free((void *)file.data);
    if (good && elf)
        read_lines(path);
    if (good && (symbols.file.count > 0 || symbols.lines.count > 0))
        return true;
    snprintf(message, OPTIONS_MESSAGE,
             "-symbols: '%.100s' is neither an ELF file with symbols nor a list like System.map",
             path);
    return false;
}

#ifdef RINGONE_SHORT_LIFE /* reading them would take longer than the guest */
enum { NAMES_ITSELF = false };
#else
enum { NAMES_ITSELF = true };
#endif

/* The running program's file, mapped: it is large, and nobody can write to it while it runs. */
static bool map_running(struct load_blob *file) {
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    void *data = fstat(fd, &st) == 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                     : MAP_FAILED;
    close(fd);
    *file = (struct load_blob){data, data == MAP_FAILED ? 0 : (uint64_t)st.st_size};
    return data != MAP_FAILED;
}

static bool use_own(const struct load_blob *file, bool running) {
    uint64_t address;
    if (!symfile_read_elf(file, &symbols.own))
        return false;
    if (!running)
        return true;
    bool found = symtab_address(&symbols.own, "symbols_open", &address);
    symbols.own_slide = found ? (uint64_t)(uintptr_t)symbols_open - address : 0;
    return found;
}

/* The VMM's own symbols. A stripped program has none, which is fine. */
static void read_own(const char *vmm) {
    char message[OPTIONS_MESSAGE];
    struct load_blob file;
    bool running = vmm == NULL;
    if (!NAMES_ITSELF)
        return;
    if (running ? !map_running(&file) : !files_read_one("", vmm, &file, message))
        return;
    if (!use_own(&file, running))
        symbols.own = (struct symtab){0};
    if (running)
        munmap((void *)file.data, file.size);
    else
        free((void *)file.data);
}

bool symbols_open(const struct options *o, const struct load_blob *kernel, const char *vmm,
                  char message[OPTIONS_MESSAGE]) {
    read_own(vmm);
    if (!symtab_create(&symbols.live, LIVE_SYMBOLS, LIVE_NAME_BYTES))
        symbols.live = (struct symtab){0}; /* no names then */
    if (o->symbols != NULL)
        return read_named(o->symbols, message);
    /* a kernel with damaged tables may still run */
    if (symfile_is_elf(kernel) && symfile_read_elf(kernel, &symbols.file) && o->log_mask != 0)
        read_lines(o->kernel);
    return true;
}
