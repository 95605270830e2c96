/*
 * The windows' hold on FS.base, which is libc's (rt_windows.c). Code that calls libc while the
 * guest is live brackets the call with these; fpu.h does.
 */
#ifndef HOST_PROCESS_WINDOWS_H
#define HOST_PROCESS_WINDOWS_H

/* Gives libc FS.base; and gives it back to translated code. */
void windows_put_aside(void);
void windows_put_back(void);

#endif
