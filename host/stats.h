/*
 * -stats: what the VMM did, as a table. For all hosts.
 */
#ifndef HOST_STATS_H
#define HOST_STATS_H

struct vm;

/* Takes each line, as printf would: formats %s %-s %llu, with width. */
typedef void (*stats_print_fn)(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void stats_print(const struct vm *vm, stats_print_fn print);

#endif
