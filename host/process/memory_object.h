/*
 * Shared memory objects: guest RAM and code memory, which are mapped more than once.
 */
#ifndef HOST_PROCESS_MEMORY_OBJECT_H
#define HOST_PROCESS_MEMORY_OBJECT_H

#include <stdint.h>

/* A zeroed object of `bytes` that no other process can reach, in large pages if the host can.
 * Returns its descriptor, or -1. The name is what /proc/PID/maps shows. */
int memory_object(const char *name, uint64_t bytes);

/* The same in the host's ordinary pages. */
int memory_object_small(const char *name, uint64_t bytes);

/* Ends what memory_object() has kept open for the next one. */
void memory_object_done(void);

#endif
