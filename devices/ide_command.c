/*
 * ATA commands of a disk (ATA/ATAPI-6 chapter 8; READ and WRITE with CHS: ATA-5).
 *
 * Invariant: while phase is not IDE_IDLE, [next, next + left) lies on the disk, and left > 0.
 */
#include "devices/ide.h"

#include "host/host.h"

#define STATUS_GOOD (IDE_DRDY | IDE_DSC)

static struct ide_disk *disk_of(struct ide_channel *c) {
    return &c->disk[c->active];
}

/* -- ends -- */

void ide_finish(struct ide_channel *c) {
    c->phase = IDE_IDLE;
    c->status = STATUS_GOOD;
    ide_interrupt(c);
}

void ide_fail(struct ide_channel *c, uint8_t error) {
    c->phase = IDE_IDLE;
    c->error = error;
    c->status = STATUS_GOOD | IDE_ERR;
    ide_interrupt(c);
}

void ide_signature(struct ide_channel *c) {
    c->count[0] = c->lba_low[0] = 1;
    c->lba_mid[0] = c->lba_high[0] = 0;
    c->error = 1; /* diagnostic code: no error */
    c->status = STATUS_GOOD;
}

/* -- where on the disk -- */

/* The task file's address and count. False: not on the disk. */
static bool address(struct ide_channel *c, bool wide) {
    const struct ide_disk *d = disk_of(c);
    uint64_t lba =
        (uint32_t)c->lba_low[0] | (uint32_t)c->lba_mid[0] << 8 | (uint32_t)c->lba_high[0] << 16;
    uint32_t count = c->count[0];

    if (wide) {
        lba |= (uint64_t)c->lba_low[1] << 24 | (uint64_t)c->lba_mid[1] << 32 |
               (uint64_t)c->lba_high[1] << 40;
        count |= (uint32_t)c->count[1] << 8;
    } else if (c->device & IDE_DEVICE_LBA) {
        lba |= (uint64_t)(c->device & 15u) << 24;
    } else {
        uint32_t cylinder = (uint32_t)(lba >> 8), head = c->device & 15u, sector = lba & 0xff;
        if (sector == 0 || sector > d->track_sectors || head >= d->heads)
            return false;
        lba = ((uint64_t)cylinder * d->heads + head) * d->track_sectors + sector - 1;
    }
    if (count == 0)
        count = wide ? 65536 : 256;
    c->next = lba;
    c->left = count;
    return lba <= d->sectors && count <= d->sectors - lba;
}

/* -- data by PIO -- */

/* Offers the next block. */
static void begin_block(struct ide_channel *c) {
    uint32_t n = c->left < c->block ? c->left : c->block;

    if (c->phase == IDE_IN && !host_blk_read(disk_of(c)->host_disk, c->next, c->buffer, n)) {
        ide_fail(c, IDE_UNC);
        return;
    }
    c->at = 0;
    c->end = n * IDE_SECTOR;
    c->status = STATUS_GOOD | IDE_DRQ;
}

void ide_block_done(struct ide_channel *c) {
    uint32_t n = c->end / IDE_SECTOR;

    c->status = STATUS_GOOD;
    if (c->left == 0) { /* IDENTIFY DEVICE */
        c->phase = IDE_IDLE;
        return;
    }
    if (c->phase == IDE_OUT && !host_blk_write(disk_of(c)->host_disk, c->next, c->buffer, n)) {
        ide_fail(c, IDE_ABRT);
        return;
    }
    c->next += n;
    c->left -= n;
    if (c->left > 0) {
        begin_block(c);
        if (c->phase != IDE_IDLE)
            ide_interrupt(c);
    } else if (c->phase == IDE_OUT) {
        ide_finish(c);
    } else {
        c->phase = IDE_IDLE;
    }
}

static void transfer(struct ide_channel *c, enum ide_phase phase, bool wide, uint32_t block) {
    if (block == 0) {
        ide_fail(c, IDE_ABRT);
        return;
    }
    if (!address(c, wide)) {
        ide_fail(c, IDE_IDNF);
        return;
    }
    c->phase = phase;
    c->block = block;
    if (phase == IDE_DMA_IN || phase == IDE_DMA_OUT) {
        c->status = STATUS_GOOD | IDE_DRQ;
        ide_dma_run(c);
        return;
    }
    begin_block(c);
    if (phase == IDE_IN && c->phase == IDE_IN)
        ide_interrupt(c);
}

/* -- commands -- */

static void read_sectors(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_IN, opcode == 0x24, 1);
}

static void write_sectors(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_OUT, opcode == 0x34, 1);
}

static void read_multiple(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_IN, opcode == 0x29, disk_of(c)->multiple);
}

static void write_multiple(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_OUT, opcode == 0x39, disk_of(c)->multiple);
}

static void read_dma(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_DMA_IN, opcode == 0x25, IDE_BUFFER_SECTORS);
}

static void write_dma(struct ide_channel *c, uint8_t opcode) {
    transfer(c, IDE_DMA_OUT, opcode == 0x35, IDE_BUFFER_SECTORS);
}

static void verify(struct ide_channel *c, uint8_t opcode) {
    if (address(c, opcode == 0x42))
        ide_finish(c);
    else
        ide_fail(c, IDE_IDNF);
}

static void nothing(struct ide_channel *c, uint8_t opcode) {
    (void)opcode;
    ide_finish(c);
}

static void identify(struct ide_channel *c, uint8_t opcode) {
    (void)opcode;
    ide_identify(disk_of(c), c->buffer);
    c->phase = IDE_IN;
    c->left = 0;
    c->at = 0;
    c->end = IDE_SECTOR;
    c->status = STATUS_GOOD | IDE_DRQ;
    ide_interrupt(c);
}

static void diagnostic(struct ide_channel *c, uint8_t opcode) {
    (void)opcode;
    c->device = 0;
    c->phase = IDE_IDLE;
    ide_signature(c);
    ide_interrupt(c);
}

static void set_parameters(struct ide_channel *c, uint8_t opcode) {
    struct ide_disk *d = disk_of(c);
    uint8_t sectors = c->count[0], heads = (uint8_t)((c->device & 15u) + 1);
    (void)opcode;
    if (sectors == 0) {
        ide_fail(c, IDE_ABRT);
        return;
    }
    uint64_t cylinders = d->sectors / ((uint32_t)heads * sectors);
    d->track_sectors = sectors;
    d->heads = heads;
    d->cylinders = cylinders > 65535 ? 65535 : (uint16_t)cylinders;
    ide_finish(c);
}

static void set_multiple(struct ide_channel *c, uint8_t opcode) {
    uint8_t n = c->count[0];
    (void)opcode;
    if (n > IDE_MULTIPLE_MAX || (n & (n - 1u))) {
        ide_fail(c, IDE_ABRT);
        return;
    }
    disk_of(c)->multiple = n;
    ide_finish(c);
}

static void flush(struct ide_channel *c, uint8_t opcode) {
    (void)opcode;
    if (host_blk_flush(disk_of(c)->host_disk))
        ide_finish(c);
    else
        ide_fail(c, IDE_ABRT);
}

static void check_power(struct ide_channel *c, uint8_t opcode) {
    (void)opcode;
    c->count[0] = 0xff; /* active */
    ide_finish(c);
}

static void native_max(struct ide_channel *c, uint8_t opcode) {
    uint64_t last = disk_of(c)->sectors - 1;
    bool wide = opcode == 0x27;
    if (!wide && last > 0x0fffffff)
        last = 0x0fffffff;
    c->lba_low[0] = (uint8_t)last;
    c->lba_mid[0] = (uint8_t)(last >> 8);
    c->lba_high[0] = (uint8_t)(last >> 16);
    c->lba_low[1] = (uint8_t)(last >> 24);
    c->lba_mid[1] = (uint8_t)(last >> 32);
    c->lba_high[1] = (uint8_t)(last >> 40);
    if (!wide)
        c->device = (uint8_t)((c->device & 0xf0u) | (last >> 24 & 15u));
    ide_finish(c);
}

/* SET FEATURES subcommands. */
static void set_features(struct ide_channel *c, uint8_t opcode) {
    struct ide_disk *d = disk_of(c);
    uint8_t mode = c->count[0];
    (void)opcode;
    switch (c->feature[0]) {
    case 0x02:
    case 0x82:
        d->write_cache = c->feature[0] == 0x02;
        break;
    case 0x03: /* PIO default, PIO 0-4, multiword DMA 0-2 */
        if (mode > 1 && (mode < 0x08 || mode > 0x0c) && (mode < 0x20 || mode > 0x22)) {
            ide_fail(c, IDE_ABRT);
            return;
        }
        if (mode >= 0x20)
            d->transfer_mode = mode;
        break;
    case 0x55: /* look-ahead, defaults at reset */
    case 0xaa:
    case 0x66:
    case 0xcc:
        break;
    default:
        ide_fail(c, IDE_ABRT);
        return;
    }
    ide_finish(c);
}

static const struct command {
    uint8_t first, last;
    void (*run)(struct ide_channel *c, uint8_t opcode);
} commands[] = {
    {0x10, 0x1f, nothing}, /* RECALIBRATE */
    {0x20, 0x21, read_sectors},   {0x24, 0x24, read_sectors},   {0x25, 0x25, read_dma},
    {0x27, 0x27, native_max},     {0x29, 0x29, read_multiple},  {0x30, 0x31, write_sectors},
    {0x34, 0x34, write_sectors},  {0x35, 0x35, write_dma},      {0x39, 0x39, write_multiple},
    {0x40, 0x42, verify},         {0x70, 0x7f, nothing}, /* SEEK */
    {0x90, 0x90, diagnostic},     {0x91, 0x91, set_parameters}, {0xc4, 0xc4, read_multiple},
    {0xc5, 0xc5, write_multiple}, {0xc6, 0xc6, set_multiple},   {0xc8, 0xc9, read_dma},
    {0xca, 0xcb, write_dma},      {0xe0, 0xe3, nothing}, /* STANDBY IMMEDIATE, IDLE IMMEDIATE,
                                                            STANDBY, IDLE */
    {0xe5, 0xe5, check_power},    {0xe7, 0xe7, flush},          {0xea, 0xea, flush},
    {0xec, 0xec, identify},       {0xef, 0xef, set_features},   {0xf8, 0xf8, native_max},
};

void ide_command(struct ide_channel *c, uint8_t opcode) {
    c->phase = IDE_IDLE;
    c->active = (uint8_t)ide_selected(c);
    c->error = 0;
    c->status = STATUS_GOOD;
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (opcode >= commands[i].first && opcode <= commands[i].last) {
            commands[i].run(c, opcode);
            return;
        }
    }
    if (LOG_ON(LOG_UNIMP))
        host_log("ide: command %02x is not implemented\n", opcode);
    ide_fail(c, IDE_ABRT);
}
