/*
 * Disk images while the guest runs (blk.h): raw system calls only, because the guest's x87/SSE
 * state is live. A transfer blocks the virtual CPU for as long as the host takes.
 */
#include "host/process/blk.h"

#include <errno.h>

#include "host/host.h"
#include "host/process/rt_syscall.h"

enum { SECTOR = 512 };

struct blk blk_disks[OPTIONS_DISKS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}, {.fd = -1}};

static struct blk *disk_at(unsigned disk) {
    return disk < OPTIONS_DISKS && blk_disks[disk].fd >= 0 ? &blk_disks[disk] : NULL;
}

static bool inside(const struct blk *b, uint64_t first, uint32_t sectors) {
    return first <= b->sectors && sectors <= b->sectors - first;
}

uint64_t host_blk_sectors(unsigned disk) {
    const struct blk *b = disk_at(disk);
    return b ? b->sectors : 0;
}

/* All of [buf, buf + n) from or to the file. */
static bool move(long call, const struct blk *b, uint64_t offset, const uint8_t *buf, uint64_t n) {
    while (n > 0) {
        long done = rt_syscall4(call, b->fd, (long)buf, (long)n, (long)offset);
        if (done == -EINTR)
            continue;
        if (done <= 0) /* 0: the file has been cut short */
            return false;
        buf += done;
        offset += (uint64_t)done;
        n -= (uint64_t)done;
    }
    return true;
}

static bool is_overlaid(const struct blk *b, uint64_t sector) {
    return b->overlaid[sector / 8] >> sector % 8 & 1;
}

bool host_blk_read(unsigned disk, uint64_t first, void *buf, uint32_t sectors) {
    const struct blk *b = disk_at(disk);
    uint8_t *out = buf;
    if (!b || !inside(b, first, sectors) ||
        !move(SYS_pread64, b, first * SECTOR, out, (uint64_t)sectors * SECTOR))
        return false;
    for (uint32_t i = 0; b->overlay && i < sectors; i++)
        if (is_overlaid(b, first + i))
            memcpy(out + (uint64_t)i * SECTOR, b->overlay + (first + i) * SECTOR, SECTOR);
    return true;
}

bool host_blk_write(unsigned disk, uint64_t first, const void *buf, uint32_t sectors) {
    const struct blk *b = disk_at(disk);
    if (!b || b->read_only || !inside(b, first, sectors))
        return false;
    if (!b->overlay)
        return move(SYS_pwrite64, b, first * SECTOR, buf, (uint64_t)sectors * SECTOR);
    memcpy(b->overlay + first * SECTOR, buf, (uint64_t)sectors * SECTOR);
    for (uint64_t sector = first; sector < first + sectors; sector++)
        b->overlaid[sector / 8] |= (uint8_t)(1u << sector % 8);
    return true;
}

bool host_blk_flush(unsigned disk) {
    const struct blk *b = disk_at(disk);
    if (!b || b->read_only || b->overlay)
        return b != NULL;
    long r;
    do
        r = rt_syscall3(SYS_fdatasync, b->fd, 0, 0);
    while (r == -EINTR);
    return r == 0 || r == -EINVAL; /* a special file that keeps nothing back */
}
