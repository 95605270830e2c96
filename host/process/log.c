/*
 * Starting the trace (log.h).
 */
#include "host/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"

bool log_open(const struct options *o, char message[OPTIONS_MESSAGE]) {
    host_log_mask = o->log_mask;
    if (o->log_path != NULL) {
        log_fd = open(o->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (log_fd < 0) {
            snprintf(message, OPTIONS_MESSAGE, "-D: cannot write '%.100s': %s", o->log_path,
                     strerror(errno));
            return false;
        }
    }
    if (o->log_filter != NULL && !dfilter_parse(&log_filter, o->log_filter, message))
        return false;
    if ((o->log_mask & (LOG_IN_ASM | LOG_OUT_ASM)) != 0 && !disasm_open()) {
        snprintf(message, OPTIONS_MESSAGE,
                 "-d: in_asm and out_asm need Capstone, which does not start");
        return false;
    }
    return true;
}
