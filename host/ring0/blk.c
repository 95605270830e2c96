/* Disks: this host drives none, so the guest has none. */
#include "host/host.h"

uint64_t host_blk_sectors(unsigned disk) {
    (void)disk;
    return 0;
}

bool host_blk_read(unsigned disk, uint64_t first, void *buf, uint32_t sectors) {
    (void)disk;
    (void)first;
    (void)buf;
    (void)sectors;
    return false;
}

bool host_blk_write(unsigned disk, uint64_t first, const void *buf, uint32_t sectors) {
    (void)disk;
    (void)first;
    (void)buf;
    (void)sectors;
    return false;
}

bool host_blk_flush(unsigned disk) {
    (void)disk;
    return false;
}
