/*
 * The machine's IDE disks, for the guest that is given them. All of it is for ring 0.
 */
#ifndef HOST_RING0_ATA_H
#define HOST_RING0_ATA_H

#include <stdbool.h>
#include <stdint.h>

enum { ATA_DISKS = 4, ATA_SECTOR = 512 };

enum ata_command { ATA_SIZE, ATA_READ, ATA_WRITE, ATA_FLUSH };

/* What is asked of a disk: 0 and 1 are master and slave of the first channel, 2 and 3 of the
 * second.
 */
struct ata_request {
    enum ata_command command;
    unsigned disk;
    uint64_t first;   /* sector */
    uint32_t sectors; /* any number */
    void *buf;
    uint64_t size; /* answer to ATA_SIZE: sectors, 0 when there is no disk */
    bool done;     /* answer: false when the disk reported an error or was silent for too long */
};

/* Does it, by programmed I/O, and comes back when the disk has done it, has been silent for ten
 * seconds - later requests to such a channel fail at once, until it answers again - or when the
 * VM's time is up. */
void ata_do(struct ata_request *r);

#endif
