/*
 * The bus master of PIIX3 IDE: Intel 82371SB data sheet section 2.7; Programming Interface for Bus
 * Master IDE Controller, revision 1.0.
 *
 * A transfer runs to its end when both the command and the start bit are there. The descriptor
 * table is the guest's: at most the 8,192 entries that fit 64 KiB are looked at.
 */
#include "devices/ide.h"

#include "host/host.h"
#include "vmm/vm.h"

#define BMIBA      0x20u
#define BMIBA_MASK 0xfffffff0u
#define BM_PORTS   16u
#define PRD_LAST   0x80000000u
#define PRD_MAX    8192u

enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };

#define COMMAND_START   0x01u
#define COMMAND_TO_RAM  0x08u
#define STATUS_ACTIVE   0x01u
#define STATUS_ERROR    0x02u
#define STATUS_IRQ      0x04u
#define STATUS_SOFTWARE 0x60u /* drive n can do DMA: only stored */

/* Where the next byte of memory is. */
struct cursor {
    uint32_t table, entries;
    uint32_t address, left;
    bool last;
};

/* False: the table has ended. */
static bool next_entry(const struct memmap *mem, struct cursor *k) {
    uint32_t entry[2];
    if (k->last || k->entries == PRD_MAX)
        return false;
    memmap_read(mem, k->table, entry, sizeof entry);
    k->table += sizeof entry;
    k->entries++;
    k->address = entry[0] & ~1u;
    k->left = entry[1] & 0xfffeu;
    if (k->left == 0)
        k->left = 0x10000;
    k->last = entry[1] & PRD_LAST;
    return true;
}

/* Moves n bytes between buf and memory. False: the table is too short. */
static bool scatter(struct memmap *mem, struct cursor *k, uint8_t *buf, uint32_t n, bool to_ram) {
    while (n > 0) {
        if (k->left == 0 && !next_entry(mem, k))
            return false;
        uint32_t part = k->left < n ? k->left : n;
        if (to_ram)
            memmap_write(mem, k->address, buf, part);
        else
            memmap_read(mem, k->address, buf, part);
        k->address += part;
        k->left -= part;
        buf += part;
        n -= part;
    }
    return true;
}

static bool move_step(struct ide_channel *c, struct cursor *k, uint32_t n, bool *media) {
    struct memmap *mem = &c->ide->vm->mem;
    unsigned disk = c->disk[c->active].host_disk;
    bool to_ram = c->phase == IDE_DMA_IN;

    *media = !to_ram || host_blk_read(disk, c->next, c->buffer, n);
    if (!*media || !scatter(mem, k, c->buffer, n * IDE_SECTOR, to_ram))
        return false;
    *media = to_ram || host_blk_write(disk, c->next, c->buffer, n);
    return *media;
}

void ide_dma_run(struct ide_channel *c) {
    bool in = c->phase == IDE_DMA_IN;
    bool media = true;
    struct cursor k = {.table = c->bm_table};

    if ((!in && c->phase != IDE_DMA_OUT) || !(c->bm_command & COMMAND_START))
        return;
    if (!(c->ide->pci.config[PCI_COMMAND] & PCI_COMMAND_MSTR))
        return;
    if (in != !!(c->bm_command & COMMAND_TO_RAM))
        return; /* the two directions differ: nothing ever moves */
    while (c->left > 0) {
        uint32_t n = c->left < IDE_BUFFER_SECTORS ? c->left : IDE_BUFFER_SECTORS;
        if (!move_step(c, &k, n, &media))
            break;
        c->next += n;
        c->left -= n;
    }
    if (c->left > 0 && media)
        return; /* the table ended first: the drive waits with DRQ, the guest times out */
    /* ACTIVE stays when the table is longer than the transfer */
    if (k.last && k.left == 0)
        c->bm_status &= (uint8_t)~STATUS_ACTIVE;
    if (media)
        ide_finish(c);
    else
        ide_fail(c, in ? IDE_UNC : IDE_ABRT);
}

/* -- registers -- */

static uint8_t read_byte(const struct ide_channel *c, unsigned at) {
    if (at >= BM_TABLE)
        return (uint8_t)(c->bm_table >> 8 * (at - BM_TABLE));
    return at == BM_COMMAND ? c->bm_command : at == BM_STATUS ? c->bm_status : 0;
}

static void write_command(struct ide_channel *c, uint8_t value) {
    bool started = c->bm_command & COMMAND_START;
    c->bm_command = value & (COMMAND_START | COMMAND_TO_RAM);
    if (!(value & COMMAND_START)) {
        c->bm_status &= (uint8_t)~STATUS_ACTIVE;
    } else if (!started) {
        c->bm_status |= STATUS_ACTIVE;
        ide_dma_run(c);
    }
}

static void write_byte(struct ide_channel *c, unsigned at, uint8_t value) {
    if (at >= BM_TABLE) {
        unsigned shift = 8 * (at - BM_TABLE);
        c->bm_table = ((c->bm_table & ~(0xffu << shift)) | (uint32_t)value << shift) & ~3u;
    } else if (at == BM_COMMAND) {
        write_command(c, value);
    } else if (at == BM_STATUS) {
        c->bm_status = (uint8_t)((c->bm_status & ~STATUS_SOFTWARE) | (value & STATUS_SOFTWARE));
        c->bm_status &= (uint8_t) ~(value & (STATUS_IRQ | STATUS_ERROR));
    }
}

static uint32_t bm_read(void *dev, uint16_t offset, unsigned size) {
    const struct ide *d = dev;
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)read_byte(&d->channel[(offset + i) / 8], (offset + i) % 8) << 8 * i;
    return value;
}

static void bm_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct ide *d = dev;
    for (unsigned i = 0; i < size; i++)
        write_byte(&d->channel[(offset + i) / 8], (offset + i) % 8, (uint8_t)(value >> 8 * i));
}

static const struct pio_ops ops = {bm_read, bm_write, 1 | 2 | 4};

/* Follows BMIBA. Where another device already answers the block goes nowhere. */
void ide_dma_map(struct ide *d) {
    uint32_t base = pci_get32(&d->pci, BMIBA) & BMIBA_MASK;
    if (base > UINT16_MAX || !(d->pci.config[PCI_COMMAND] & PCI_COMMAND_IO))
        base = 0;
    if (base == d->mapped_at)
        return;
    if (d->mapped_at)
        bus_unmap_pio(d->vm->bus, (uint16_t)d->mapped_at);
    d->mapped_at = 0;
    if (base && bus_map_pio(d->vm->bus, (uint16_t)base, BM_PORTS, &ops, d))
        d->mapped_at = base;
}

void ide_dma_reset(struct ide_channel *c) {
    c->bm_command = 0;
    c->bm_status = 0;
    c->bm_table = 0;
}
