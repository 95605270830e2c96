/* Opening disk images; see blk.h. */
#include "host/process/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"

enum { SECTOR = 512 };

static bool fail(char message[OPTIONS_MESSAGE], const struct disk_option *d, const char *why) {
    snprintf(message, OPTIONS_MESSAGE, "-%s: cannot open '%.150s': %s", d->option, d->path, why);
    return false;
}

/* The size of a file or block device. False: it has none. */
static bool size_of(int fd, uint64_t *bytes) {
    struct stat st;
    if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return false;
    off_t end = lseek(fd, 0, SEEK_END);
    *bytes = end < 0 ? 0 : (uint64_t)end;
    return end >= 0;
}

static bool open_disk(const struct disk_option *d, struct blk *b, char message[OPTIONS_MESSAGE]) {
    bool writes_file = !d->read_only && !d->snapshot;
    uint64_t bytes;
    *b = (struct blk){.fd = open(d->path, (writes_file ? O_RDWR : O_RDONLY) | O_CLOEXEC),
                      .read_only = d->read_only};
    if (b->fd < 0)
        return fail(message, d, strerror(errno));
    if (!size_of(b->fd, &bytes))
        return fail(message, d, "it is neither a file nor a block device");
    b->sectors = bytes / SECTOR;
    if (b->sectors == 0)
        return fail(message, d, "it has less than one sector of 512 bytes");
    if (!d->snapshot)
        return true;
    b->overlay = host_alloc(b->sectors * SECTOR);
    b->overlaid = host_alloc((b->sectors + 7) / 8);
    return (b->overlay && b->overlaid) || fail(message, d, "no address space for a snapshot");
}

bool blk_open(const struct options *o, char message[OPTIONS_MESSAGE]) {
    for (unsigned i = 0; i < OPTIONS_DISKS; i++)
        if (o->disk[i].path != NULL && !open_disk(&o->disk[i], &blk_disks[i], message))
            return false;
    return true;
}
