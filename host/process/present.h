/*
 * The thread behind host_present().
 */
#ifndef HOST_PROCESS_PRESENT_H
#define HOST_PROCESS_PRESENT_H

/* Starts it, once; before the sandbox shuts. Without it, if there is none to be had, host_present()
 * does nothing. */
void present_start(void);

#endif
