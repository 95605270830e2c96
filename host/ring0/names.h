/*
 * Names of places in the guest and in the VMM (host/process/symbols.h, which is at work here, too):
 * from the launcher's symbol module, and the running guest's own.
 */
#ifndef HOST_RING0_NAMES_H
#define HOST_RING0_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct vm;

/* Takes over the tables of a symbol module, which stays where it is. NULL, or what is wrong. */
const char *names_take(void *module, uint64_t size);
/* Gets the memory for the guest's own table, if this machine has plenty; names, and the trace that
 * they are for, are this VM's. */
void names_watch(const struct vm *vm);
/* The guest has been reset. */
void names_forget(void);

/* "ringone: guest triple fault at ...". */
void names_say_triple_fault(const struct vm *vm);

#endif
