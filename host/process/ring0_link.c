/*
 * The link to the VMM in its emulated PC (ring0_link.h).
 */
#include "host/process/ring0_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/process/log.h"
#include "host/process/profile.h"
#include "host/process/screen.h"

enum { ASK_AGAIN_MS = 1000, ASK_TIMES = 10 };

static volatile sig_atomic_t machine_pid, caught, killed, request_fd = -1;
static struct termios users; /* the terminal's mode before the machine, which has it raw */
static bool has_terminal;

/* A line that is being received. */
static char line[CHANNEL_LINE_BYTES + 1];
static size_t length;
/* And one of those for standard error. */
static char words[1024];
static size_t words_length;

static void ask(char request) {
    if (request_fd >= 0 && write(request_fd, &request, 1) < 0)
        return; /* the machine has ended */
}

/* It cannot put the terminal right any more. */
static void kill_machine(void) {
    killed = 1;
    kill((pid_t)machine_pid, SIGKILL);
    if (has_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &users);
}

static void on_signal(int sig) {
    int saved = errno;
    if (caught)
        kill_machine();
    caught = sig;
    ask(CHANNEL_QUIT);
    errno = saved;
}

static void on_panic_signal(int sig) {
    int saved = errno;
    ask(sig == SIGUSR1 ? CHANNEL_PANIC : CHANNEL_PANIC_THERE);
    errno = saved;
}

static void handle(int sig, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigaction now;
    /* nohup and shells' background jobs ignore some; that stays so */
    if (sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaction(sig, &action, NULL);
}

/* -- from the VMM -- */

static void take_samples(const char *text) {
    char *end;
    unsigned long long count = strtoull(text, &end, 10);
    if (count > 0 && *end == ' ' && end[1] != '\0')
        profile_add_line(end + 1, count);
}

static void take_line(void) {
    if (length == 0)
        return;
    line[length] = '\0';
    switch (line[0]) {
    case CHANNEL_SCREEN:
        screen_add_row(line + 1, length - 1);
        break;
    case CHANNEL_TRACE:
        log_line(line + 1);
        break;
    case CHANNEL_CODE16:
        disasm_line(DISASM_16, line + 1);
        break;
    case CHANNEL_CODE32:
        disasm_line(DISASM_32, line + 1);
        break;
    case CHANNEL_CODE64:
        disasm_line(DISASM_64, line + 1);
        break;
    case CHANNEL_PROFILE:
        take_samples(line + 1);
        break;
    case CHANNEL_LOST:
        profile.lost += strtoull(line + 1, NULL, 10);
        break;
    default: /* not one of ours */
        break;
    }
}

static void take_bytes(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            take_line();
            length = 0;
        } else if (length < CHANNEL_LINE_BYTES) {
            line[length++] = bytes[i];
        }
    }
}

/* What has been said is on standard error, also where QEMU has made the terminal non-blocking. */
static void say(void) {
    const char *at = words;
    while (words_length > 0) {
        ssize_t n = write(STDERR_FILENO, at, words_length);
        if (n > 0) {
            at += n;
            words_length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        } else if (n == 0 || errno != EINTR) {
            words_length = 0; /* nobody listens */
        }
    }
}

/* Line by line, as QEMU writes to the same terminal; with the line ends that standard error wants.
 */
static void take_words(const char *bytes, size_t n) {
    bool raw = isatty(STDERR_FILENO);
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\r' || raw)
            words[words_length++] = bytes[i];
        if (bytes[i] == '\n' || words_length == sizeof words)
            say();
    }
}

/* Reads what is there. False: nothing will come any more. */
static bool receive(const struct pollfd *p, bool is_words) {
    char bytes[65536];
    if (p->revents == 0)
        return true;
    ssize_t n = read(p->fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    if (is_words)
        take_words(bytes, (size_t)n);
    else
        take_bytes(bytes, (size_t)n);
    if (n < (ssize_t)sizeof bytes) /* there is no more just now */
        log_flush();
    return true;
}

bool ring0_link_open(struct ring0_link *ours, struct ring0_link *far) {
    int messages[2], lines[2];
    has_terminal = tcgetattr(STDIN_FILENO, &users) == 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, messages) != 0 || pipe(lines) != 0)
        return false;
    *ours = (struct ring0_link){messages[0], lines[0]};
    *far = (struct ring0_link){messages[1], lines[1]};
    return true;
}

void ring0_link_close(const struct ring0_link *link) {
    close(link->messages);
    close(link->lines);
}

void ring0_link_serve(const struct ring0_link *link, pid_t machine, bool panic_on_signal) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct pollfd fds[] = {{.fd = link->messages, .events = POLLIN},
                           {.fd = link->lines, .events = POLLIN}};
    unsigned asked = 0;
    machine_pid = machine;
    request_fd = link->messages;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        handle(signals[i], on_signal);
    if (panic_on_signal) {
        handle(SIGUSR1, on_panic_signal);
        handle(SIGUSR2, on_panic_signal);
    }
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int n = poll(fds, 2, caught ? ASK_AGAIN_MS : -1);
        if (n < 0)
            continue; /* a signal */
        if (n == 0) { /* it was not listening yet, or never will */
            ask(CHANNEL_QUIT);
            if (++asked > ASK_TIMES)
                kill_machine();
        }
        for (unsigned i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && !receive(&fds[i], i == 0))
                fds[i].fd = -1;
    }
    request_fd = -1;
    say();
    log_flush();
}

bool ring0_link_killed(void) {
    return killed;
}

void ring0_link_resume_signal(void) {
    if (!caught)
        return;
    signal(caught, SIG_DFL);
    raise(caught);
}
