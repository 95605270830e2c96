/*
 * Opening and closing the character channels (chr.h). Runs before the guest's first and after its
 * last instruction, so libc may be used.
 */
#include "host/process/chr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/*
 * Writes to a terminal or pipe can block although poll said that there is room. A descriptor of our
 * own with O_NONBLOCK cannot, and unlike fcntl() on the one we were given it does not change the
 * mode of the shell's. Where it cannot be had (sockets, another user's terminal) the given one must
 * do.
 */
static int own_descriptor(int fd, int mode) {
    struct stat st;
    char path[32];
    if (fstat(fd, &st) != 0)
        return -1;
    if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
        return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own >= 0 ? own : fd;
}

static bool open_pty(struct chr *c, const char *option, char message[OPTIONS_MESSAGE]) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    const char *name = NULL;
    int slave = -1;
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
        (name = ptsname(master)) != NULL)
        slave =
            open(name, O_RDWR | O_NOCTTY | O_CLOEXEC); /* stays open: no hang-up between users */
    struct termios t;
    if (slave < 0 || tcgetattr(slave, &t) != 0) {
        snprintf(message, OPTIONS_MESSAGE, "-%s: no pseudo-terminal: %s", option, strerror(errno));
        return false;
    }
    cfmakeraw(&t);
    tcsetattr(slave, TCSANOW, &t);
    fprintf(stderr, "ringone: -%s is on %s\n", option, name);
    c->in_fd = c->out_fd = master;
    return true;
}

bool chr_open(unsigned channel, const char *option, const struct chr_option *o,
              char message[OPTIONS_MESSAGE]) {
    struct chr *c = &chr_channels[channel];
    switch (o->kind) {
    case CHR_NULL:
        return true;
    case CHR_STDIO:
    case CHR_MON_STDIO:
        c->keys = o->kind == CHR_MON_STDIO;
        c->in_fd = own_descriptor(STDIN_FILENO, O_RDONLY);
        c->out_fd = own_descriptor(STDOUT_FILENO, O_WRONLY);
        return true;
    case CHR_FILE:
        c->out_fd = open(o->path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
        if (c->out_fd >= 0)
            return true;
        snprintf(message, OPTIONS_MESSAGE, "-%s: cannot write '%.100s': %s", option, o->path,
                 strerror(errno));
        return false;
    case CHR_PTY:
        return open_pty(c, option, message);
    }
    return false;
}

void chr_finish(void) {
    for (unsigned i = 0; i < CHR_CHANNELS; i++) {
        struct chr *c = &chr_channels[i];
        c->in_fd = -1;
        for (unsigned waits = 0; c->out_count > 0 && waits < 100; waits++) {
            chr_service();
            struct pollfd p = {.fd = c->out_fd, .events = POLLOUT};
            if (c->out_count > 0)
                poll(&p, 1, 10);
        }
    }
}
