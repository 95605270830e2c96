/*
 * Ending from outside (quit.h). The handler only asks: translated code notices at the next kick,
 * which is 10 ms away at most, and host_wait is woken.
 */
#include "host/process/quit.h"

#include <signal.h>
#include <stddef.h>

#include "host/process/chr.h"
#include "host/process/clock.h"
#include "host/process/terminal.h"
#include "host/process/windows.h"
#include "vmm/vm.h"

static struct vm *subject;
static volatile sig_atomic_t caught, asked;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void stop(void) {
    asked = 1;
    vm_request_stop(subject, VM_STOP_QUIT);
    clock_wake();
}

/* No errno here, nor what sets it: FS may be the guest's window. */
static void on_signal(int sig) {
    if (caught) {
        windows_put_aside();
        terminal_restore();
        signal(sig, SIG_DFL);
        raise(sig);
    }
    caught = sig;
    stop();
}

void quit_install(struct vm *vm) {
    subject = vm;
    chr_on_quit = stop;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction now;
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
        /* nohup and shells' background jobs ignore some; that stays so */
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

bool quit_asked(void) {
    return asked;
}

void quit_resume_signal(void) {
    if (!caught)
        return;
    terminal_restore();
    signal(caught, SIG_DFL);
    raise(caught);
}
