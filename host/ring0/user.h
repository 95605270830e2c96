/*
 * Guest user code in hardware ring 3.
 */
#ifndef HOST_RING0_USER_H
#define HOST_RING0_USER_H

#include <stdint.h>

struct host_user;
struct trap_frame;

/* Ring 0, from ring 1's service call: makes the frame that of ring 3. */
void user_enter(struct trap_frame *f, struct host_user *u);
/* Ring 0: the frame is that of ring 3 and about to be resumed. Does so itself, or leaves ring 3,
 * where the trap's own IRET would not do. */
void user_resume(struct trap_frame *f);
/* Ring 0: the linear address of the code that the frame, one of ring 3, is at. */
uint32_t user_place(const struct trap_frame *f);
/* Ring 0: ring 3 is left for `vector`; the frame becomes that of ring 1 where bt_user_end wants it.
 */
void user_leave(struct trap_frame *f, unsigned vector, uint64_t address);

#endif
