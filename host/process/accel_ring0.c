/*
 * Starting ringone.elf in an emulated PC (accel_ring0.h).
 *
 * Kernel, initrd and options travel as Multiboot modules (host/ring0/options.h has the options'
 * form); the guest's serial port is the machine's COM1, which QEMU connects as our own -serial
 * says; the VMM's words come through COM2, its lines for our files through a debug console
 * (ring0_link.h). At the end the VMM writes EXIT_MARK + its status to a debug port, from which QEMU
 * makes the exit status 2n + 1.
 */
#include "host/process/accel_ring0.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/process/files.h"
#include "host/process/ring0_link.h"
#include "host/process/ring0_symbols.h"
#include "host/process/symbols.h"

#define MIB          (1ull << 20)
#define EXIT_PORT    "0xf4"
#define CHANNEL_PORT "0xec"

enum {
    EXIT_MARK = 32,        /* host/ring0/power.h */
    STATUS_PANIC = 6,      /* likewise */
    VMM_MIB = 320,         /* translation cache, tables, page tables */
    LOW_MIB = 3072,        /* of QEMU's PC below 4 GiB; the rest is above */
    LOW_GUEST_MAX = 2560,  /* a bigger guest goes above */
    VALUE = PATH_MAX + 64, /* a file name that the host has opened, and a keyword before it */
};

static int fail(char message[OPTIONS_MESSAGE], const char *what) {
    snprintf(message, OPTIONS_MESSAGE, "-accel ring0: %.150s: %s", what, strerror(errno));
    return -1;
}

static int unfit(char message[OPTIONS_MESSAGE], const char *what) {
    snprintf(message, OPTIONS_MESSAGE, "-accel ring0: %s", what);
    return -1;
}

/* What this host does not have. 0, or -1 with the message. */
static int check(const struct options *o, char message[OPTIONS_MESSAGE]) {
    for (unsigned i = 0; i < OPTIONS_DISKS; i++)
        if (o->disk[i].path != NULL && o->disk[i].read_only)
            return unfit(message, "-drive: the machine has no read-only disks");
    const char *append = o->append;
    if (strchr(append, '\n') != NULL)
        return unfit(message, "-append must be one line");
    if (o->log_filter != NULL && strchr(o->log_filter, '\n') != NULL)
        return unfit(message, "-dfilter must be one line");
    const char *files[] = {o->kernel, o->bios};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] != NULL && strchr(files[i], ' ') != NULL)
            return unfit(message, "file names with spaces cannot be given to the boot loader");
    return 0;
}

/* ringone.elf stands beside this program. */
static int find_vmm(char path[VALUE], char message[OPTIONS_MESSAGE]) {
    static const char name[] = "ringone.elf";
    ssize_t n = readlink("/proc/self/exe", path, VALUE - sizeof name);
    if (n < 0)
        return fail(message, "/proc/self/exe");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash != NULL ? slash + 1 : path, name, sizeof name);
    if (access(path, R_OK) != 0)
        return fail(message, path);
    return 0;
}

static unsigned disk_mask(const struct options *o) {
    unsigned mask = 0;
    for (unsigned i = 0; i < OPTIONS_DISKS; i++)
        mask |= (unsigned)(o->disk[i].path != NULL) << i;
    return mask;
}

/* The options module, as a file that only QEMU sees. Its descriptor, or -1. */
static int write_options(const struct options *o, const char *vga_bios,
                         char message[OPTIONS_MESSAGE]) {
    int fd = memfd_create("options", 0);
    FILE *f = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
    if (f == NULL)
        return fail(message, "options");
    fprintf(f,
            "# ringone options\n-messages com2\n-exit-port " EXIT_PORT "\n-channel " CHANNEL_PORT
            "\n-m %lluK\n",
            (unsigned long long)(o->ram_bytes >> 10));
    fprintf(f, "-append %s\n-d %u\n", o->append, o->log_mask);
    fputs("-symbols\n", f);
    if (o->log_filter != NULL)
        fprintf(f, "-dfilter %s\n", o->log_filter);
    if (o->bios != NULL)
        fputs("-bios\n", f);
    if (vga_bios != NULL)
        fputs("-vga-bios\n", f);
    if (o->nographic)
        fputs("-serial-console\n", f);
    fprintf(f, "-disks %u\n", disk_mask(o));
    if (o->no_reboot)
        fputs("-no-reboot\n", f);
    if (o->stats)
        fputs("-stats\n", f);
    if (o->debugcon.kind != CHR_NULL)
        fputs("-debugcon\n", f);
    if (o->serial.kind == CHR_MON_STDIO)
        fputs("-keys\n", f);
    if (o->screendump != NULL)
        fputs("-screendump-text\n", f);
    if (o->profile != NULL)
        fputs("-profile\n", f);
    if (fclose(f) != 0)
        return fail(message, "options");
    return fd;
}

/* A file name as a list element: commas are doubled. */
static char *add_file(char *at, const char *end, const char *name) {
    for (; *name != '\0' && end - at > 3; name++) {
        *at++ = *name;
        if (*name == ',')
            *at++ = ',';
    }
    *at = '\0';
    return at;
}

/* Options, symbols, ROMs, kernel, and -initrd's list as it stands. */
static char *module_list(const struct options *o, const char *vga_bios, int options_fd,
                         int symbols_fd) {
    const char *const none = "";
    const char *initrd = o->initrd != NULL ? o->initrd : none;
    size_t size = 2 * (strlen(o->kernel != NULL ? o->kernel : none) +
                       strlen(o->bios != NULL ? o->bios : none) +
                       strlen(vga_bios != NULL ? vga_bios : none)) +
                  strlen(initrd) + 64;
    char *list = malloc(size);
    if (list == NULL)
        return NULL;
    char *end = list + size;
    char *at = list + snprintf(list, size, "/dev/fd/%d,/dev/fd/%d", options_fd, symbols_fd);
    const char *files[] = {o->bios, vga_bios, o->kernel};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i] == NULL)
            continue;
        *at++ = ',';
        at = add_file(at, end, files[i]);
    }
    if (o->initrd != NULL)
        snprintf(at, (size_t)(end - at), ",%s", initrd);
    return list;
}

/* As -chardev has it. The keys behind Ctrl-A are the VMM's. */
static void chr_name(const struct chr_option *c, const char *id, char name[VALUE]) {
    static const char *const names[] = {[CHR_NULL] = "null",
                                        [CHR_STDIO] = "stdio",
                                        [CHR_MON_STDIO] = "stdio,signal=off",
                                        [CHR_FILE] = "file,path=",
                                        [CHR_PTY] = "pty"};
    char *end = name + VALUE;
    char *at = name + snprintf(name, VALUE, "%s", names[c->kind]);
    if (c->kind == CHR_FILE)
        at = add_file(at, end - strlen(id) - 8, c->path);
    snprintf(at, (size_t)(end - at), ",id=%s", id);
}

static unsigned long long file_mib(const char *name) {
    struct stat st;
    return name != NULL && stat(name, &st) == 0 ? (unsigned long long)st.st_size / MIB + 1 : 0;
}

/* Memory for the machine: the guest's in one piece, the files, the VMM. */
static unsigned long long machine_mib(const struct options *o) {
    unsigned long long guest = (o->ram_bytes + MIB - 1) / MIB;
    unsigned long long rest =
        VMM_MIB + 2 * (file_mib(o->kernel) + file_mib(o->initrd)) + ring0_symbols_mib();
    return guest <= LOW_GUEST_MAX ? guest + rest : LOW_MIB + guest + rest;
}

/* The disks as the machine's IDE disks: pairs of arguments. */
static void add_drives(const struct options *o, const char *drives[2 * OPTIONS_DISKS],
                       char text[OPTIONS_DISKS][2 * VALUE]) {
    for (unsigned i = 0, n = 0; i < OPTIONS_DISKS; i++) {
        if (o->disk[i].path == NULL)
            continue;
        char *end = text[i] + sizeof text[i];
        char *at = text[i] + snprintf(text[i], sizeof text[i],
                                      "if=ide,index=%u,format=raw,snapshot=%s,file=", i,
                                      o->disk[i].snapshot ? "on" : "off");
        add_file(at, end, o->disk[i].path);
        drives[n++] = "-drive";
        drives[n++] = text[i];
    }
}

/* In the child: becomes QEMU. */
_Noreturn static void become_machine(const struct options *o, const char *vmm, char *modules,
                                     const struct ring0_link *far) {
    char memory[32], serial[VALUE], debugcon[VALUE], messages[64], lines[64];
    static char drive_text[OPTIONS_DISKS][2 * VALUE];
    const char *drives[2 * OPTIONS_DISKS] = {NULL};
    snprintf(memory, sizeof memory, "%llu", machine_mib(o));
    snprintf(messages, sizeof messages, "socket,id=messages,fd=%d", far->messages);
    snprintf(lines, sizeof lines, "file,id=lines,path=/dev/fd/%d,append=on", far->lines);
    add_drives(o, drives, drive_text);
    chr_name(&o->serial, "serial", serial);
    chr_name(&o->debugcon, "debugcon", debugcon);
    const char *const argv[] = {"qemu-system-x86_64",
                                "-accel",
                                "tcg",
                                "-cpu",
                                "max,-svm",
                                "-m",
                                memory,
                                "-display",
                                "none",
                                "-net",
                                "none",
                                "-no-reboot",
                                "-monitor",
                                "none",
                                "-kernel",
                                vmm,
                                "-initrd",
                                modules,
                                "-chardev",
                                messages,
                                "-chardev",
                                lines,
                                "-chardev",
                                serial,
                                "-chardev",
                                debugcon,
                                "-serial",
                                "chardev:serial",
                                "-serial",
                                "chardev:messages",
                                "-device",
                                "isa-debug-exit,iobase=" EXIT_PORT ",iosize=4",
                                "-device",
                                "isa-debugcon,iobase=" CHANNEL_PORT ",chardev=lines",
                                "-device",
                                "isa-debugcon,iobase=0xe9,chardev=debugcon",
                                drives[0],
                                drives[1],
                                drives[2],
                                drives[3],
                                drives[4],
                                drives[5],
                                drives[6],
                                drives[7],
                                NULL};
    /* signals to the process group come to both of us; it is we who ask the VMM to end */
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever kills us with SIGKILL means the machine, too */
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "ringone: -accel ring0: qemu-system-x86_64: %s\n", strerror(errno));
    _exit(EXIT_MARK);
}

static int exit_status(int status, char message[OPTIONS_MESSAGE]) {
    if (WIFSIGNALED(status) && ring0_link_killed())
        return EXIT_SUCCESS; /* the caller ends as the signal says */
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    int n = WEXITSTATUS(status);
    if (n == 0) /* the user quit */
        return EXIT_SUCCESS;
    if (n / 2 < EXIT_MARK || n % 2 == 0) {
        snprintf(message, OPTIONS_MESSAGE, "-accel ring0: the machine ended with status %d", n);
        return -1;
    }
    n = n / 2 - EXIT_MARK;
    if (n == STATUS_PANIC)
        abort();
    return n;
}

int accel_ring0_run(const struct options *o, const struct load_blob *kernel,
                    char message[OPTIONS_MESSAGE]) {
    char vmm[VALUE];
    struct ring0_link ours, far;
    if (check(o, message) != 0 || find_vmm(vmm, message) != 0 ||
        !symbols_open(o, kernel, vmm, message))
        return -1;
    char *vga_bios = o->bios != NULL ? files_vga_bios(o->bios) : NULL;
    int options_fd = write_options(o, vga_bios, message);
    int symbols_fd = ring0_symbols_write();
    if (options_fd >= 0 && symbols_fd < 0)
        fail(message, "symbols");
    char *modules = options_fd >= 0 ? module_list(o, vga_bios, options_fd, symbols_fd) : NULL;
    free(vga_bios);
    if (options_fd < 0 || symbols_fd < 0)
        return -1;
    pid_t child = modules != NULL && ring0_link_open(&ours, &far) ? fork() : -1;
    if (child < 0) {
        free(modules);
        return fail(message, "start");
    }
    if (child == 0) {
        ring0_link_close(&ours);
        become_machine(o, vmm, modules, &far);
    }
    ring0_link_close(&far);
    close(options_fd);
    close(symbols_fd);
    free(modules);
    ring0_link_serve(&ours, child, o->panic_on_signal);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return exit_status(status, message);
}
