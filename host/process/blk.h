/*
 * Disk images: raw files, opened by blk.c and accessed by rt_blk.c while the guest runs.
 */
#ifndef HOST_PROCESS_BLK_H
#define HOST_PROCESS_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "host/process/options.h"

struct blk {
    int fd; /* -1: no disk */
    bool read_only;
    uint64_t sectors;
    /* -snapshot: where writes go, and which sectors are there; NULL: to the file */
    uint8_t *overlay;
    uint8_t *overlaid;
};

extern struct blk blk_disks[OPTIONS_DISKS];

/* Opens every image of the options. False: message says which one fails and why. */
bool blk_open(const struct options *o, char message[OPTIONS_MESSAGE]);

#endif
