/*
 * The system calls that the process may still make once the guest runs.
 */
#ifndef HOST_PROCESS_SANDBOX_H
#define HOST_PROCESS_SANDBOX_H

#include <stdbool.h>

/* Shuts the sandbox, for good. Needs no privileges. False: this kernel has no seccomp filters. */
bool sandbox_shut(void);

#endif
