/*
 * Ending from outside: Ctrl-A X, SIGTERM and its like.
 */
#ifndef HOST_PROCESS_QUIT_H
#define HOST_PROCESS_QUIT_H

#include <stdbool.h>

struct vm;

/* From now on Ctrl-A X and SIGINT, SIGTERM, SIGHUP, SIGQUIT stop the VM; a second signal, or one
 * that comes when the VM does not stop, ends the process at once with the terminal restored. */
void quit_install(struct vm *vm);

/* Whether that has happened. A VM that is just being reset cannot be stopped. */
bool quit_asked(void);

/* Ends the process the way the signal that stopped the VM would have; returns if there was none. */
void quit_resume_signal(void);

#endif
