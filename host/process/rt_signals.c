/*
 * Host exceptions and kicks (rt_signals.h). The kernel saves and restores the x87/SSE state around
 * a handler, so the guest's is safe here.
 */
#include "host/process/rt_signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/clock.h"
#include "host/process/panic.h"
#include "host/process/profile.h"
#include "host/process/windows.h"
#include "vmm/vm.h"

enum { STACK_BYTES = 256 << 10 };

static struct vm *subject;

/* ucontext's index of each general register in encoding order. */
static const int greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

static void load(struct host_regs *r, const ucontext_t *u) {
    for (unsigned n = 0; n < 16; n++)
        r->gpr[n] = (uint64_t)u->uc_mcontext.gregs[greg_of[n]];
    r->rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    r->rflags = (uint64_t)u->uc_mcontext.gregs[REG_EFL];
}

static void store(ucontext_t *u, const struct host_regs *r) {
    for (unsigned n = 0; n < 16; n++)
        u->uc_mcontext.gregs[greg_of[n]] = (greg_t)r->gpr[n];
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)r->rip;
    u->uc_mcontext.gregs[REG_EFL] = (greg_t)r->rflags;
}

static void on_exception(int sig, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    const greg_t *g = u->uc_mcontext.gregs;
    struct host_regs regs;

    (void)info;
    load(&regs, u);
    profile_exception_begin(&regs);
    if (!bt_host_fault(&subject->vcpu, &regs, (unsigned)g[REG_TRAPNO], (uint64_t)g[REG_ERR],
                       (uint64_t)g[REG_CR2])) {
        windows_put_aside();
        signal(sig, SIG_DFL);
        panic_interrupted(&regs);
        host_panic("exception %u (error %#x, address %#llx) in the VMM at rip %#llx",
                   (unsigned)g[REG_TRAPNO], (unsigned)g[REG_ERR], (unsigned long long)g[REG_CR2],
                   (unsigned long long)regs.rip);
    }
    profile_exception_end(&regs);
    store(u, &regs);
}

static void on_kick(int sig, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    struct host_regs regs;

    (void)sig;
    (void)info;
    load(&regs, u);
    bt_kick(&subject->vcpu, &regs);
    store(u, &regs);
}

static void on_sample(int sig, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    struct host_regs regs;

    (void)sig;
    (void)info;
    load(&regs, u);
    if (clock_sample_next(bt_sample(&subject->vcpu, &regs)))
        bt_kick(&subject->vcpu, &regs);
    store(u, &regs);
}

static void on_profile(int sig, siginfo_t *info, void *context) {
    struct host_regs regs;

    (void)sig;
    (void)info;
    load(&regs, context);
    profile_sample(&regs);
}

static volatile sig_atomic_t panic_asked;

static void on_panic_signal(int sig, siginfo_t *info, void *context) {
    struct host_regs regs;

    (void)info;
    if (sig == SIGUSR1) {
        panic_asked = 1;
        clock_wake();
        return;
    }
    load(&regs, context);
    panic_interrupted(&regs);
    host_panic("asked for by SIGUSR2");
}

void panic_if_asked(void) {
    if (panic_asked)
        host_panic("asked for by SIGUSR1");
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (sig == SIGALRM || sig == SIGVTALRM || sig == SIGPROF)
        action.sa_flags |= SA_RESTART;
    /* a kick must not come between an exception's saved state and its resolution */
    sigfillset(&action.sa_mask);
    sigaction(sig, &action, NULL);
}

void rt_signals_install(struct vm *vm) {
    static const int exceptions[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    stack_t stack = {.ss_sp = host_alloc(STACK_BYTES), .ss_size = STACK_BYTES};

    subject = vm;
    if (!stack.ss_sp || sigaltstack(&stack, NULL) != 0)
        host_panic("no signal stack");
    for (unsigned n = 0; n < sizeof exceptions / sizeof exceptions[0]; n++)
        install(exceptions[n], on_exception);
    install(SIGALRM, on_kick);
    install(SIGVTALRM, on_sample);
    install(SIGPROF, on_profile);
}

void panic_on_signal(void) {
    install(SIGUSR1, on_panic_signal);
    install(SIGUSR2, on_panic_signal);
}
