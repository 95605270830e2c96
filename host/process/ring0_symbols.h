/*
 * The symbol tables for the ring-0 VMM, as a boot module (host/symbol_module.h).
 */
#ifndef HOST_PROCESS_RING0_SYMBOLS_H
#define HOST_PROCESS_RING0_SYMBOLS_H

/* Writes what symbols_open has read to a file in memory. Its descriptor, or -1 with errno set. */
int ring0_symbols_write(void);
/* How much memory that takes, in MiB. */
unsigned long long ring0_symbols_mib(void);

#endif
