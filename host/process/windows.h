/*
 * The windows' hold on FS.base, which is libc's (rt_windows.c). Code that calls libc while the
 * guest is live brackets the call with these; fpu.h does.
 */
#ifndef HOST_PROCESS_WINDOWS_H
#define HOST_PROCESS_WINDOWS_H

#include <stdint.h>

/* Gives libc FS.base; and gives it back to translated code. */
void windows_put_aside(void);
void windows_put_back(void);

/* For signal handlers, which may have interrupted either: gives libc FS.base; what it returns is
 * for windows_return(), which puts back what was there. */
uint64_t windows_borrow(void);
void windows_return(uint64_t fs);

#endif
