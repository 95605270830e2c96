/*
 * The sandbox: a seccomp filter (seccomp(2)) that lets through what the running VMM needs and ends
 * the process at anything else, so that a guest that broke out of its translation could not do
 * much.
 *
 * In particular no mapping can become executable any more: all code memory was mapped before.
 */
#include "host/process/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/windows.h"

static const int allowed[] = {
    /* clock, sleep, timers */
    SCMP_SYS(clock_gettime), SCMP_SYS(timer_settime), SCMP_SYS(ppoll), SCMP_SYS(poll),
    SCMP_SYS(restart_syscall),
    /* channels, trace, statistics */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(newfstatat), SCMP_SYS(fstat),
    /* the kernel once more, where the guest restarts; the initrd by pread64 */
    SCMP_SYS(lseek),
    /* disk images */
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync),
    /* the disassembler sorts, and glibc sorts by the size of memory */
    SCMP_SYS(sysinfo),
    /* memory: windows come and go; see also the rules for mmap and mprotect */
    SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk),
    /* FS.base and GS.base where the kernel keeps WRFSBASE and WRGSBASE off */
    SCMP_SYS(arch_prctl),
    /* signals and the end */
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group)};

static void on_sigsys(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    windows_put_aside();
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
    host_panic("the sandbox stopped system call %d (%s)", info->si_syscall,
               name ? name : "unknown");
}

/* Allows a call if the masked bits of its 32-bit argument arg have the value. */
static int allow_if(scmp_filter_ctx filter, int call, unsigned arg, uint32_t mask, uint32_t value) {
    const struct scmp_arg_cmp cmp = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static bool add_rules(scmp_filter_ctx filter) {
    int failed = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    failed |= allow_if(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    failed |= allow_if(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    /* the terminal's mode, and nothing else one can do with a descriptor (TIOCSTI!) */
    static const uint32_t modes[] = {TCGETS, TCSETS, TCSETSW, TCSETSF};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        failed |= allow_if(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, modes[i]);
    /* job control and the final raise() may signal us, nobody else */
    failed |= allow_if(filter, SCMP_SYS(kill), 0, UINT32_MAX, (uint32_t)getpid());
    failed |= allow_if(filter, SCMP_SYS(tgkill), 0, UINT32_MAX, (uint32_t)getpid());
    return failed == 0;
}

bool sandbox_shut(void) {
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSYS, &action, NULL);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (filter == NULL)
        return false;
    /* the most frequent call first; the filter is a list of comparisons */
    seccomp_syscall_priority(filter, SCMP_SYS(mmap), 255);
    seccomp_syscall_priority(filter, SCMP_SYS(rt_sigreturn), 254);
    seccomp_syscall_priority(filter, SCMP_SYS(timer_settime), 253);
    bool shut = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && add_rules(filter) &&
                seccomp_load(filter) == 0;
    seccomp_release(filter);
    return shut;
}
