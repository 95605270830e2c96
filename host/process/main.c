/*
 * ringone as a Linux process: start-up in order, the life of the VM, the end.
 *
 * Exit status: 0 when the guest switched off or the user quit, 2 for a bad option or file or a host
 * that cannot run it; 134 (SIGABRT) for a bug in the VMM.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/accel_ring0.h"
#include "host/process/blk.h"
#include "host/process/chr.h"
#include "host/process/clock.h"
#include "host/process/coverage.h"
#include "host/process/files.h"
#include "host/process/fpu.h"
#include "host/process/log.h"
#include "host/process/options.h"
#include "host/process/panic.h"
#include "host/process/present.h"
#include "host/process/profile.h"
#include "host/process/quit.h"
#include "host/process/report.h"
#include "host/process/ring0_link.h"
#include "host/process/rt_signals.h"
#include "host/process/sandbox.h"
#include "host/process/screen.h"
#include "host/process/symbols.h"
#include "host/process/terminal.h"
#include "host/process/text.h"
#include "host/stats.h"
#include "vmm/board_pc.h"
#include "vmm/load.h"
#include "vmm/vm.h"

enum { EXIT_USAGE = 2, CACHE_BYTES = 40 << 20, MAPPINGS_MIN = 1024 };

static struct vm machine;

_Noreturn static void refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn static void refuse(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("ringone: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(EXIT_USAGE);
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

/* A descriptor 0 to 2 that is closed would be given to guest RAM or a file next. */
static void open_standard_descriptors(void) {
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd >= 0)
        close(fd);
}

static void parse(int argc, char **argv, struct options *o) {
    char message[OPTIONS_MESSAGE];
    char help[4096];
    switch (options_parse(argc, argv, o, message)) {
    case OPTIONS_RUN:
        return;
    case OPTIONS_HELP:
        options_help(help, sizeof help);
        fputs(help, stdout);
        break;
    case OPTIONS_VERSION:
        fputs(options_version, stdout);
        break;
    case OPTIONS_BAD:
        refuse("%s", message);
    }
    exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* What may fail because of files or the host, before anything runs. */
static void set_up(const struct options *o, struct files *files) {
    char message[OPTIONS_MESSAGE];
    if (!files_read(o, files, message) || !symbols_open(o, &files->request.kernel, NULL, message) ||
        !log_open(o, message) || !chr_open(CHR_SERIAL, "serial", &o->serial, message) ||
        !chr_open(CHR_DEBUGCON, "debugcon", &o->debugcon, message) || !blk_open(o, message) ||
        !screen_open(o, message) || !profile_open(o, message))
        refuse("%s", message);
    if (!clock_setup())
        refuse("the host has no timer left for this process (ulimit -i)");
    present_start();
    if (host_window_budget() < MAPPINGS_MIN)
        refuse("too few memory mappings allowed: raise the host's vm.max_map_count to 65530");
    struct board_config board = {.rom = files->bios.data,
                                 .rom_bytes = (uint32_t)files->bios.size,
                                 .vga_rom = files->vga_bios.data,
                                 .vga_rom_bytes = (uint32_t)files->vga_bios.size,
                                 .serial_console = o->nographic,
                                 .serial_mask = 1u << CHR_SERIAL,
                                 .debugcon = o->debugcon.kind == CHR_NULL ? -1 : (int)CHR_DEBUGCON};
    if (!vm_create(&machine, o->ram_bytes, CACHE_BYTES, &board))
        refuse("the host does not give the memory for a guest of %llu MiB (see ulimit -v)",
               (unsigned long long)(o->ram_bytes >> 20));
    vm_set_form(&machine, o->form);
    machine.counting = o->stats;
    panic_watch(&machine.vcpu);
    symbols_watch(&machine);
    log_watch(&machine);
}

static void load(struct files *files) {
    char message[OPTIONS_MESSAGE];
    if (files->request.kernel_name == NULL) /* the firmware at the reset vector will find one */
        return;
    if (!files_fetch(files, message))
        refuse("%s", message);
    enum load_status s = load_kernel(&machine, &files->request);
    files_put_away(files);
    if (s == LOAD_OK)
        return;
    if (s == LOAD_INITRD_LOST && files->message[0] != '\0')
        refuse("%s", files->message);
    if (s == LOAD_INITRD_TOO_BIG || s == LOAD_INITRD_LOST || s == LOAD_LINUX_INITRDS)
        refuse("-initrd: %s", load_status_text(s));
    if (s == LOAD_CMDLINE_TOO_LONG)
        refuse("-append: %s", load_status_text(s));
    refuse("-kernel: '%s': %s", files->request.kernel_name, load_status_text(s));
}

static enum vm_stop run(void) {
    fpu_guest_reset();
    clock_sample(true);
    fpu_guest_enter();
    profile_start(&machine);
    bt_run(&machine.vcpu);
    profile_stop();
    fpu_guest_leave();
    clock_sample(false);
    return machine.stop;
}

static void say_triple_fault(void) {
    const struct vcpu *v = &machine.vcpu;
    char line[256];
    struct text t;
    text_begin(&t, line, sizeof line);
    text_add(&t, "ringone: guest triple fault at %04x:%08x", v->seg[SEG_CS].sel, v->eip);
    symbols_add_place(&t, v->seg[SEG_CS].base + v->eip);
    fprintf(stderr, "%s\n", line);
    if (LOG_ON(LOG_GUEST_ERRORS))
        report_triple_fault(v);
}

/* Runs the guest through its restarts. */
static void live(const struct options *o, struct files *files) {
    for (;;) {
        enum vm_stop why = run();
        if (why != VM_STOP_RESET && why != VM_STOP_TRIPLE_FAULT)
            return;
        if (why == VM_STOP_TRIPLE_FAULT) {
            chr_finish();
            say_triple_fault();
        }
        if (o->no_reboot)
            return;
        profile_fold();
        vm_reset(&machine);
        if (quit_asked())
            return;
        symbols_forget();
        load(files);
    }
}

/* The ring-0 host instead. Files are opened here, too, to refuse bad ones in the same words. */
static int run_ring0(const struct options *o, struct files *files) {
    char message[OPTIONS_MESSAGE];
    if (!files_read(o, files, message) ||
        (o->serial.kind == CHR_FILE && !chr_open(CHR_SERIAL, "serial", &o->serial, message)) ||
        (o->debugcon.kind == CHR_FILE &&
         !chr_open(CHR_DEBUGCON, "debugcon", &o->debugcon, message)) ||
        !blk_open(o, message) || !screen_open(o, message) || !log_open(o, message) ||
        !profile_open(o, message))
        refuse("%s", message);
    int status = accel_ring0_run(o, &files->request.kernel, message);
    if (status < 0)
        refuse("%s", message);
    screen_close();
    log_flush();
    profile_write();
    ring0_link_resume_signal();
    return status;
}

int main(int argc, char **argv) {
    static struct files files;
    static struct options o; /* points to memory, which leak checkers must find */
    open_standard_descriptors();
    parse(argc, argv, &o);
    if (o.ring0)
        return run_ring0(&o, &files);
    /* writing to a reader that has gone, or beyond ulimit -f, is an error to report, not to die of
     */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    set_up(&o, &files);
    load(&files);
    if (o.no_reboot)
        files_release(&files);

    FILE *coverage = o.coverage ? coverage_open(o.coverage) : NULL;
    rt_signals_install(&machine);
    quit_install(&machine);
    chr_machine = &machine;
    if (o.panic_on_signal)
        panic_on_signal();
    if (o.serial.kind == CHR_STDIO || o.serial.kind == CHR_MON_STDIO ||
        o.debugcon.kind == CHR_STDIO || o.debugcon.kind == CHR_MON_STDIO)
        terminal_raw(o.serial.kind == CHR_MON_STDIO || o.debugcon.kind == CHR_MON_STDIO);
#ifndef RINGONE_SANITIZE /* sanitizers make system calls of their own when they report */
    if (o.sandbox && !sandbox_shut())
        refuse("the kernel has no seccomp filters; -sandbox off runs without");
#endif
    live(&o, &files);

    chr_finish();
    screen_finish(&machine);
    log_flush();
    profile_write();
    terminal_restore();
    if (o.stats)
        stats_print(&machine, say);
    if (coverage)
        coverage_write(&machine, coverage);
    quit_resume_signal();
    return EXIT_SUCCESS;
}
