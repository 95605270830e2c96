/*
 * Windows, beyond host/host.h.
 */
#ifndef HOST_RING0_WINDOWS_H
#define HOST_RING0_WINDOWS_H

/* GS.base has been changed by someone else. */
void windows_forget_gs(void);

#endif
