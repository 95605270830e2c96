/*
 * The terminal's mode (terminal.h). Whatever ends or stops the process puts the user's mode back:
 * exit, a fatal signal (main.c, panic.c), and job control (SIGTSTP, SIGCONT) here.
 */
#include "host/process/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "host/process/windows.h"

static struct termios users, ours;
static volatile sig_atomic_t active;

void terminal_restore(void) {
    if (active)
        tcsetattr(STDIN_FILENO, TCSANOW, &users);
}

/* FS may be the guest's window, and errno is found by FS. */
static void on_stop(int sig) {
    uint64_t fs = windows_borrow();
    int saved = errno;
    (void)sig;
    terminal_restore();
    raise(SIGSTOP);
    errno = saved;
    windows_return(fs);
}

static void on_continue(int sig) {
    uint64_t fs = windows_borrow();
    int saved = errno;
    (void)sig;
    if (active)
        tcsetattr(STDIN_FILENO, TCSANOW, &ours);
    errno = saved;
    windows_return(fs);
}

void terminal_raw(bool keys_to_guest) {
    if (tcgetattr(STDIN_FILENO, &users) != 0)
        return; /* not a terminal */
    ours = users;
    ours.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    ours.c_oflag |= OPOST;
    ours.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (keys_to_guest)
        ours.c_lflag &= ~(tcflag_t)ISIG;
    ours.c_cflag = (ours.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    ours.c_cc[VMIN] = 1;
    ours.c_cc[VTIME] = 0;
    active = 1;
    atexit(terminal_restore);
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct sigaction cont = {.sa_handler = on_continue, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGTSTP, &stop, NULL);
    sigaction(SIGCONT, &cont, NULL);
    tcsetattr(STDIN_FILENO, TCSANOW, &ours);
}
