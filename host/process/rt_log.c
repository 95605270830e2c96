/*
 * Collecting and writing trace lines (log.h).
 */
#include "host/process/log.h"

#include <errno.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/rt_syscall.h"
#include "host/process/text.h"

int log_fd = STDERR_FILENO;

enum { BUFFER_BYTES = 65536 };

static char buffer[BUFFER_BYTES];
static size_t used;

void log_flush(void) {
    size_t done = 0;
    while (done < used) {
        long n = rt_syscall3(SYS_write, log_fd, (long)(buffer + done), (long)(used - done));
        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    used = 0;
}

void log_line(const char *line) {
    if (BUFFER_BYTES - used < LOG_LINE_BYTES)
        log_flush();
    struct text t;
    text_begin(&t, buffer + used, LOG_LINE_BYTES - 1);
    text_add(&t, "%s", line);
    used += t.length;
    if (t.length == 0 || buffer[used - 1] != '\n')
        buffer[used++] = '\n';
}
