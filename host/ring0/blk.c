/* Disks (blk.h), by way of ring 0. Sizes are asked for once. */
#include "host/ring0/blk.h"

#include "host/host.h"
#include "host/ring0/ata.h"
#include "host/ring0/service.h"

static uint64_t sectors_of[ATA_DISKS];

static bool ask(struct ata_request *r) {
    service_call(SERVICE_DISK, (uint64_t)(uintptr_t)r, 0);
    return r->done;
}

void blk_give(unsigned mask) {
    for (unsigned n = 0; n < ATA_DISKS; n++) {
        struct ata_request r = {.command = ATA_SIZE, .disk = n};
        sectors_of[n] = mask >> n & 1 && ask(&r) ? r.size : 0;
    }
}

uint64_t host_blk_sectors(unsigned disk) {
    return disk < ATA_DISKS ? sectors_of[disk] : 0;
}

static bool inside(unsigned disk, uint64_t first, uint32_t sectors) {
    uint64_t size = host_blk_sectors(disk);

    return first <= size && sectors <= size - first;
}

bool host_blk_read(unsigned disk, uint64_t first, void *buf, uint32_t sectors) {
    struct ata_request r = {ATA_READ, disk, first, sectors, buf, 0, false};

    return inside(disk, first, sectors) && ask(&r);
}

bool host_blk_write(unsigned disk, uint64_t first, const void *buf, uint32_t sectors) {
    struct ata_request r = {ATA_WRITE, disk, first, sectors, (void *)(uintptr_t)buf,
                            0,         false}; /* only read */

    return inside(disk, first, sectors) && ask(&r);
}

bool host_blk_flush(unsigned disk) {
    struct ata_request r = {.command = ATA_FLUSH, .disk = disk};

    return host_blk_sectors(disk) > 0 && ask(&r);
}
