/*
 * Character channels while the guest runs (chr.h): raw system calls only, because the guest's
 * x87/SSE state is live.
 */
#include "host/process/chr.h"

#include <errno.h>

#include "host/host.h"
#include "host/process/panic.h"
#include "host/process/profile.h"
#include "host/process/rt_syscall.h"
#include "host/process/screen.h"

struct chr chr_channels[CHR_CHANNELS] = {{.in_fd = -1, .out_fd = -1}, {.in_fd = -1, .out_fd = -1}};
void (*chr_on_quit)(void);
const struct vm *chr_machine;

enum { CTRL_A = 1, CHUNK = 512 };

static bool ready(int fd, short events) {
    struct pollfd p = {.fd = fd, .events = events};
    static const struct timespec now = {0, 0};
    long n = rt_syscall5(SYS_ppoll, (long)&p, 1, (long)&now, 0, 0);
    return n == 1 && (p.revents & events) != 0;
}

/* True when all is written. A descriptor that cannot take CHUNK bytes now is left for later. */
static bool flush(struct chr *c) {
    size_t done = 0;
    while (done < c->out_count && ready(c->out_fd, POLLOUT)) {
        size_t n = c->out_count - done;
        long wrote =
            rt_syscall3(SYS_write, c->out_fd, (long)(c->out + done), (long)(n < CHUNK ? n : CHUNK));
        if (wrote == -EINTR)
            continue;
        if (wrote == -EAGAIN)
            break;
        if (wrote <= 0) { /* nobody reads any more */
            c->out_fd = -1;
            done = c->out_count;
            break;
        }
        done += (size_t)wrote;
    }
    c->out_count -= done;
    memmove(c->out, c->out + done, c->out_count);
    return c->out_count == 0;
}

bool host_chr_write(unsigned channel, const uint8_t *data, size_t n) {
    struct chr *c = &chr_channels[channel];
    if (c->out_fd < 0)
        return true;
    if (n > CHR_OUT_BYTES - c->out_count)
        return false;
    memcpy(c->out + c->out_count, data, n);
    c->out_count += n;
    if (c->out_count > CHR_OUT_BYTES / 2)
        flush(c);
    return true;
}

size_t host_chr_read(unsigned channel, uint8_t *data, size_t n) {
    struct chr *c = &chr_channels[channel];
    size_t got = 0;
    for (; got < n && c->in_count > 0; got++) {
        data[got] = c->in[c->in_head];
        c->in_head = (c->in_head + 1) % CHR_IN_BYTES;
        c->in_count--;
    }
    return got;
}

static void put(struct chr *c, uint8_t byte) {
    c->in[(c->in_head + c->in_count) % CHR_IN_BYTES] = byte;
    c->in_count++;
}

static void show_keys(struct chr *c) {
    static const char text[] = "\r\nCtrl-A H  this list\r\n"
                               "Ctrl-A S  show the VGA text screen\r\n"
                               "Ctrl-A X  quit ringone\r\n"
                               "Ctrl-A A  send Ctrl-A to the guest\r\n";
    host_chr_write((unsigned)(c - chr_channels), (const uint8_t *)text, sizeof text - 1);
}

static void show_screen(struct chr *c) {
    unsigned channel = (unsigned)(c - chr_channels);
    char row[SCREEN_ROW_BYTES];
    size_t n;
    unsigned i = 0;
    for (; (n = screen_row(chr_machine, i, row)) != SCREEN_NO_ROW; i++) {
        host_chr_write(channel, (const uint8_t *)"\r\n", 2);
        host_chr_write(channel, (const uint8_t *)row, n);
    }
    static const char none[] = "\r\nThe screen is not in a text mode.\r\n";
    if (i == 0)
        host_chr_write(channel, (const uint8_t *)none, sizeof none - 1);
    else
        host_chr_write(channel, (const uint8_t *)"\r\n", 2);
}

/* One byte from the user: ours after Ctrl-A, else the guest's. */
static void take(struct chr *c, uint8_t byte) {
    if (!c->keys) {
        put(c, byte);
    } else if (!c->prefix_seen) {
        if (byte == CTRL_A)
            c->prefix_seen = true;
        else
            put(c, byte);
    } else {
        c->prefix_seen = false;
        if (byte == 'x' || byte == 'X')
            chr_on_quit();
        else if (byte == 's' || byte == 'S')
            show_screen(c);
        else if (byte == 'h' || byte == 'H' || byte == '?')
            show_keys(c);
        else if (byte == 'a' || byte == 'A' || byte == CTRL_A)
            put(c, CTRL_A);
    }
}

/* True when there was something to read. */
static bool fill(struct chr *c) {
    uint8_t buf[256];
    bool some = false;
    while (c->in_fd >= 0 && CHR_IN_BYTES - c->in_count >= sizeof buf &&
           ready(c->in_fd, POLLIN | POLLHUP)) {
        long n = rt_syscall3(SYS_read, c->in_fd, (long)buf, sizeof buf);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            break;
        if (n <= 0) { /* end of input: the guest runs on without */
            c->in_fd = -1;
            break;
        }
        some = true;
        for (long i = 0; i < n; i++)
            take(c, buf[i]);
    }
    return some;
}

bool chr_service(void) {
    bool some = false;
    for (unsigned i = 0; i < CHR_CHANNELS; i++) {
        struct chr *c = &chr_channels[i];
        some |= fill(c);
        if (c->out_count > 0)
            flush(c);
    }
    return some;
}

unsigned chr_poll_set(struct pollfd *fds) {
    unsigned n = 0;
    for (unsigned i = 0; i < CHR_CHANNELS; i++) {
        const struct chr *c = &chr_channels[i];
        if (c->in_fd >= 0 && c->in_count == 0)
            fds[n++] = (struct pollfd){.fd = c->in_fd, .events = POLLIN};
        if (c->out_fd >= 0 && c->out_count > 0)
            fds[n++] = (struct pollfd){.fd = c->out_fd, .events = POLLOUT};
    }
    return n;
}

void host_poll(void) {
    panic_if_asked();
    chr_service();
    profile_poll();
}
