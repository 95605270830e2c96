/*
 * -stats: what the VMM did, as a table.
 */
#ifndef HOST_PROCESS_STATS_H
#define HOST_PROCESS_STATS_H

struct vm;

/* Prints the table to standard error. */
void stats_print(const struct vm *vm);

#endif
