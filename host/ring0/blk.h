/*
 * Disks of the guest: those of the machine that it is given.
 */
#ifndef HOST_RING0_BLK_H
#define HOST_RING0_BLK_H

/* Bit n: the machine's IDE disk n is the guest's disk n. None before that. */
void blk_give(unsigned mask);

#endif
