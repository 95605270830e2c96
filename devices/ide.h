/*
 * The IDE function of the PIIX3, 8086:7010, as function 1 of PCI device 1: two channels in
 * compatibility mode with up to two disks each, PIO and bus-master DMA.
 *
 * Intel 82371SB data sheet (order 290550) section 2.3 (PCI), 2.7 (bus master); ATA/ATAPI-6 (T13
 * 1410D) for the task file and commands; disks only, no packet devices. The channels' ports are
 * always decoded, whatever IDETIM says.
 *
 *   channel      task file   control   interrupt   bus master registers
 *   primary      1F0h-1F7h   3F6h      14          BMIBA + 0
 *   secondary    170h-177h   376h      15          BMIBA + 8
 *
 * The host's disk is read and written at once when a block is due, so BSY is never seen except
 * during a software reset. Data goes through one buffer per channel.
 */
#ifndef DEVICES_IDE_H
#define DEVICES_IDE_H

#include "devices/pci.h"

enum {
    IDE_SECTOR = 512,
    IDE_MULTIPLE_MAX = 16,    /* sectors in a block of READ MULTIPLE */
    IDE_BUFFER_SECTORS = 128, /* one step of a DMA transfer */
    IDE_DISKS = 4,            /* primary master and slave, secondary master and slave */
};

struct ide_disk {
    bool present;
    unsigned host_disk; /* host_blk_* number */
    uint64_t sectors;
    uint16_t cylinders;
    uint8_t heads, track_sectors; /* as INITIALIZE DEVICE PARAMETERS set them */
    uint8_t multiple;             /* 0: READ MULTIPLE is off */
    uint8_t transfer_mode;        /* as SET FEATURES has it */
    bool write_cache;
};

/* What the data port or the bus master is to move. */
enum ide_phase { IDE_IDLE, IDE_IN, IDE_OUT, IDE_DMA_IN, IDE_DMA_OUT };

struct ide;

struct ide_channel {
    struct ide *ide;
    unsigned number;
    struct irq_line irq;
    bool irq_pending;
    struct ide_disk disk[2];

    /* task file; [1] holds what was written before, for 48-bit commands */
    uint8_t feature[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
    uint8_t device, status, error, control;

    /* the command at work */
    enum ide_phase phase;
    uint8_t active;   /* which disk works on it */
    uint64_t next;    /* sector */
    uint32_t left;    /* sectors that remain, those in the buffer included */
    uint32_t block;   /* sectors between two interrupts */
    uint32_t at, end; /* of the buffer: next byte, bytes in this block */

    /* bus master */
    uint8_t bm_command, bm_status;
    uint32_t bm_table;

    _Alignas(4) uint8_t buffer[IDE_BUFFER_SECTORS * IDE_SECTOR];
};

struct ide {
    struct pci_function pci;
    struct vm *vm;
    struct ide_channel channel[2];
    uint32_t mapped_at; /* bus master's ports, 0: not on the bus */
};

/* Attaches the function with the host's disks 0-3 (host_blk_sectors) in the order of IDE_DISKS.
 * False: a port or the PCI function is taken. */
bool ide_create(struct ide *d, struct vm *vm, struct pci_bus *bus, struct irq_line irq14,
                struct irq_line irq15);
void ide_reset(struct ide *d);

/* -- for the parts ide_*.c -- */

#define IDE_BSY  0x80u
#define IDE_DRDY 0x40u
#define IDE_DF   0x20u
#define IDE_DSC  0x10u
#define IDE_DRQ  0x08u
#define IDE_ERR  0x01u

#define IDE_ABRT 0x04u
#define IDE_IDNF 0x10u
#define IDE_UNC  0x40u

#define IDE_DEVICE_LBA 0x40u

static inline unsigned ide_selected(const struct ide_channel *c) {
    return c->device >> 4 & 1u;
}

/* ide_command.c: the command register was written, for a disk that is there. */
void ide_command(struct ide_channel *c, uint8_t opcode);
/* The block in the buffer has been taken or given by the guest. */
void ide_block_done(struct ide_channel *c);
/* Ends the command at work, without error and with. */
void ide_finish(struct ide_channel *c);
void ide_fail(struct ide_channel *c, uint8_t error);
/* Puts the signature of a disk into the task file (ATA/ATAPI-6 section 9.12). */
void ide_signature(struct ide_channel *c);

/* ide_identify.c: IDENTIFY DEVICE data. */
void ide_identify(const struct ide_disk *d, uint8_t out[IDE_SECTOR]);

/* ide_dma.c: attaches the bus master to BMIBA, and moves data when both sides are ready. */
void ide_dma_map(struct ide *d);
void ide_dma_run(struct ide_channel *c);
void ide_dma_reset(struct ide_channel *c);

/* ide.c: the drive's interrupt request. */
void ide_interrupt(struct ide_channel *c);

#endif
