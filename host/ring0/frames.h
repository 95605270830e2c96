/*
 * Physical memory, frame by frame.
 *
 * Memory that is mapped when first touched is committed before, so that a touch never fails: of the
 * free frames, those committed may only be taken by frame_take_committed.
 */
#ifndef HOST_RING0_FRAMES_H
#define HOST_RING0_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "host/ring0/multiboot.h"

enum { FRAME_BYTES = 4096 };

/* Takes over the loader's memory but for the first MiB, this program and the modules. */
void frames_init(const struct boot_info *info);

/* A frame's physical address, zeroed; 0: none left that is not committed. */
uint64_t frame_take(void);
/* The same out of what has been committed. */
uint64_t frame_take_committed(void);
void frame_give_back(uint64_t physical);

/* Sets n frames aside. False: there are not as many. */
bool frames_commit(uint64_t n);

/* Contiguous memory for good, not zeroed, aligned to 2 MiB. 0: no stretch is as long. */
uint64_t frames_take_run(uint64_t bytes);

/* Frames that are neither taken nor committed. */
uint64_t frames_spare(void);

#endif
