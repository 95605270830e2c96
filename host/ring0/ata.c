/*
 * IDE disks by programmed I/O (ata.h): ATA/ATAPI-6 sections 6.7 (addresses), 8 (commands), 9.5 to
 * 9.7 (PIO protocols), 9.2 (software reset), 7 (registers). The channels are at their legacy ports;
 * their interrupts stay off. While a disk is waited for those of the timer and the serial port come
 * through.
 */
#include "host/ring0/ata.h"

#include "host/host.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/limit.h"

enum {
    DATA,
    FEATURES,
    COUNT,
    LBA_LOW,
    LBA_MID,
    LBA_HIGH,
    DEVICE,
    STATUS, /* COMMAND when written */
};

enum {
    STATUS_ERR = 0x01,
    STATUS_DRQ = 0x08,
    STATUS_DF = 0x20,
    STATUS_BSY = 0x80,
    NOTHING_THERE = 0xff,
    CONTROL_NIEN = 2,
    CONTROL_SRST = 4,
    DEVICE_LBA = 0x40,
    DEVICE_OBSOLETE = 0xa0, /* set for old disks */
    READ_SECTORS = 0x20,
    READ_SECTORS_EXT = 0x24,
    WRITE_SECTORS = 0x30,
    WRITE_SECTORS_EXT = 0x34,
    FLUSH_CACHE = 0xe7,
    IDENTIFY_DEVICE = 0xec,
    IDENTIFY_WORDS = 256,
    WORD_LBA28 = 60,
    WORD_COMMANDS = 83,
    COMMANDS_LBA48 = 1 << 10,
    WORD_LBA48 = 100,
    CHUNK = 256, /* sectors in a command: a count of 0 */
};

#define LBA28_END (1ull << 28)
#define PATIENCE  10000000000ull /* ns: one that has been standing still needs seconds */
#define SECTOR_IN ATA_SECTOR / 2 /* words */
#define RESET_NS  5000ull        /* SRST set */
#define RESTART   2000000ull     /* ns from then on until the status counts */

/* By channel: a command was given up, after PATIENCE or at the end of the VM's time. The disk is
 * looked at only once from then on, until it is found ready. */
static bool silent[ATA_DISKS / 2];

static uint16_t port(unsigned disk, unsigned reg) {
    return (uint16_t)((disk < 2 ? 0x1f0 : 0x170) + reg);
}

static uint16_t control_port(unsigned disk) {
    return disk < 2 ? 0x3f6 : 0x376;
}

/* Interrupts that have come meanwhile: the serial port goes on, and the time limit is seen. */
static void let_interrupts_in(void) {
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/* Waits until the selected disk is not busy. False: there is none, or it stays busy. */
static bool settle(unsigned disk, uint8_t *status) {
    uint64_t end = silent[disk / 2] ? 0 : host_clock_ns() + PATIENCE;

    for (;;) {
        *status = in8(port(disk, STATUS));
        if (*status == NOTHING_THERE)
            return false;
        if (!(*status & STATUS_BSY)) {
            silent[disk / 2] = false;
            return true;
        }
        uint64_t now = host_clock_ns();
        if (now >= end || now >= limit_end()) {
            silent[disk / 2] = true;
            return false;
        }
        let_interrupts_in();
    }
}

static bool failed(uint8_t status) {
    return status & (STATUS_ERR | STATUS_DF);
}

static void pause_ns(uint64_t ns) {
    for (uint64_t end = host_clock_ns() + ns; host_clock_ns() < end;)
        __asm__ volatile("pause");
}

/* Makes the disk the one that the channel's registers are of. */
static void choose(unsigned disk, unsigned lba) {
    out8(port(disk, DEVICE), (uint8_t)(DEVICE_OBSOLETE | DEVICE_LBA | (disk & 1) << 4 | lba));
    out8(control_port(disk), CONTROL_NIEN);
    for (unsigned i = 0; i < 4; i++) /* 400 ns for the disk to notice */
        in8(control_port(disk));
}

/* Selects the disk and waits until it takes a command. A channel that was silent may still be at
 * the command that was given up - its data must not be taken for another's - and is reset. */
static bool ready(unsigned disk, unsigned lba) {
    bool was_silent = silent[disk / 2];
    uint8_t status; /* an error in it is the last command's */

    choose(disk, lba);
    if (!settle(disk, &status))
        return false;
    if (!was_silent)
        return true;
    out8(control_port(disk), CONTROL_NIEN | CONTROL_SRST);
    pause_ns(RESET_NS);
    out8(control_port(disk), CONTROL_NIEN);
    pause_ns(RESTART);
    if (!settle(disk, &status))
        return false;
    choose(disk, lba);
    return settle(disk, &status);
}

/* Selects the disk and issues a command for `count` sectors (0: 256) from `first`. */
static bool command(unsigned disk, uint8_t narrow, uint8_t wide, uint64_t first, uint8_t count) {
    bool ext = first + (count ? count : CHUNK) > LBA28_END;

    if (!ready(disk, ext ? 0 : first >> 24 & 0xf))
        return false;
    if (ext) {
        out8(port(disk, COUNT), count == 0);
        out8(port(disk, LBA_LOW), (uint8_t)(first >> 24));
        out8(port(disk, LBA_MID), (uint8_t)(first >> 32));
        out8(port(disk, LBA_HIGH), (uint8_t)(first >> 40));
    }
    out8(port(disk, COUNT), count);
    out8(port(disk, LBA_LOW), (uint8_t)first);
    out8(port(disk, LBA_MID), (uint8_t)(first >> 8));
    out8(port(disk, LBA_HIGH), (uint8_t)(first >> 16));
    out8(port(disk, STATUS), ext ? wide : narrow);
    for (unsigned i = 0; i < 4; i++)
        in8(control_port(disk));
    return true;
}

/* Waits for the disk to be done. */
static bool wait_done(unsigned disk) {
    uint8_t status;

    return settle(disk, &status) && !failed(status);
}

/* Waits for the disk to want data, or to have some. */
static bool wait_data(unsigned disk) {
    uint8_t status;

    return settle(disk, &status) && !failed(status) && (status & STATUS_DRQ);
}

static void words_in(unsigned disk, void *buf, uint64_t n) {
    __asm__ volatile("rep insw" : "+D"(buf), "+c"(n) : "d"(port(disk, DATA)) : "memory");
}

static void words_out(unsigned disk, const void *buf, uint64_t n) {
    __asm__ volatile("rep outsw" : "+S"(buf), "+c"(n) : "d"(port(disk, DATA)) : "memory");
}

static uint64_t size(unsigned disk) {
    uint16_t id[IDENTIFY_WORDS] = {0};

    if (!command(disk, IDENTIFY_DEVICE, IDENTIFY_DEVICE, 0, 0) || in8(port(disk, STATUS)) == 0 ||
        !wait_data(disk))
        return 0; /* nothing, or an ATAPI device, which aborts the command */
    words_in(disk, id, IDENTIFY_WORDS);
    if (id[WORD_COMMANDS] & COMMANDS_LBA48)
        return id[WORD_LBA48] | (uint64_t)id[WORD_LBA48 + 1] << 16 |
               (uint64_t)id[WORD_LBA48 + 2] << 32;
    return id[WORD_LBA28] | (uint64_t)id[WORD_LBA28 + 1] << 16;
}

static bool transfer(const struct ata_request *r) {
    bool write = r->command == ATA_WRITE;
    uint8_t *at = r->buf;

    for (uint32_t done = 0, n; done < r->sectors; done += n) {
        n = r->sectors - done < CHUNK ? r->sectors - done : CHUNK;
        if (!command(r->disk, write ? WRITE_SECTORS : READ_SECTORS,
                     write ? WRITE_SECTORS_EXT : READ_SECTORS_EXT, r->first + done, (uint8_t)n))
            return false;
        for (uint32_t i = 0; i < n; i++, at += ATA_SECTOR) {
            if (!wait_data(r->disk))
                return false;
            if (write)
                words_out(r->disk, at, SECTOR_IN);
            else
                words_in(r->disk, at, SECTOR_IN);
        }
        if (!wait_done(r->disk))
            return false;
    }
    return true;
}

static bool flush(unsigned disk) {
    return command(disk, FLUSH_CACHE, FLUSH_CACHE, 0, 0) && wait_done(disk);
}

void ata_do(struct ata_request *r) {
    r->size = 0;
    r->done = true;
    if (r->command == ATA_SIZE)
        r->size = size(r->disk);
    else
        r->done = r->command == ATA_FLUSH ? flush(r->disk) : transfer(r);
}
