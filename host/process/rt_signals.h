/*
 * Host exceptions and kicks: the signals through which translated code faults and is interrupted.
 */
#ifndef HOST_PROCESS_RT_SIGNALS_H
#define HOST_PROCESS_RT_SIGNALS_H

struct vm;

/* Takes over SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP (host exceptions of translated code) and
 * SIGALRM (kicks) and SIGVTALRM (samples) on a stack of their own. Call before the guest first
 * runs. */
void rt_signals_install(struct vm *vm);

#endif
