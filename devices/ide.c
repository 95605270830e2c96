/* PIIX3 IDE: PCI function, task file registers, interrupts; see ide.h. */
#include "devices/ide.h"

#include "host/host.h"

#define BMIBA      0x20u
#define IDETIM     0x40u
#define BMIBA_MASK 0xfffffff0u
#define BMIBA_PORT 0xc000u /* as firmware leaves it */
#define IDETIM_ON  0x80u   /* in the high byte */

#define CONTROL_NIEN 0x02u
#define CONTROL_SRST 0x04u
#define CONTROL_HOB  0x80u
#define DEVICE_ONES  0xa0u

enum { DATA, ERROR, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS, TASK_FILE };

/* -- interrupts -- */

static void update_irq(struct ide_channel *c) {
    irq_set(&c->irq, c->irq_pending && !(c->control & CONTROL_NIEN));
}

void ide_interrupt(struct ide_channel *c) {
    c->irq_pending = true;
    c->bm_status |= 4; /* the bus master shows the line */
    update_irq(c);
}

static void acknowledge(struct ide_channel *c) {
    c->irq_pending = false;
    update_irq(c);
}

/* -- task file -- */

static bool any_disk(const struct ide_channel *c) {
    return c->disk[0].present || c->disk[1].present;
}

static uint8_t status(const struct ide_channel *c) {
    if (c->control & CONTROL_SRST)
        return IDE_BSY;
    return c->disk[ide_selected(c)].present ? c->status : 0;
}

/* The buffer's next bytes; what is behind its end reads as ones. */
static uint32_t data_read(struct ide_channel *c, unsigned size) {
    uint32_t value = UINT32_MAX;
    if (c->phase != IDE_IN || c->end - c->at < size)
        return value;
    memcpy(&value, c->buffer + c->at, size);
    c->at += size;
    if (c->at == c->end)
        ide_block_done(c);
    return value;
}

static void data_write(struct ide_channel *c, unsigned size, uint32_t value) {
    if (c->phase != IDE_OUT || c->end - c->at < size)
        return;
    memcpy(c->buffer + c->at, &value, size);
    c->at += size;
    if (c->at == c->end)
        ide_block_done(c);
}

static uint8_t register_read(struct ide_channel *c, unsigned offset) {
    bool old = c->control & CONTROL_HOB;
    switch (offset) {
    case ERROR:
        return c->error;
    case COUNT:
        return c->count[old];
    case LBA_LOW:
        return c->lba_low[old];
    case LBA_MID:
        return c->lba_mid[old];
    case LBA_HIGH:
        return c->lba_high[old];
    case DEVICE:
        return c->device | DEVICE_ONES;
    default:
        acknowledge(c);
        return status(c);
    }
}

static void put(uint8_t pair[2], uint8_t value) {
    pair[1] = pair[0];
    pair[0] = value;
}

static void register_write(struct ide_channel *c, unsigned offset, uint8_t value) {
    c->control &= (uint8_t)~CONTROL_HOB;
    switch (offset) {
    case ERROR:
        put(c->feature, value);
        break;
    case COUNT:
        put(c->count, value);
        break;
    case LBA_LOW:
        put(c->lba_low, value);
        break;
    case LBA_MID:
        put(c->lba_mid, value);
        break;
    case LBA_HIGH:
        put(c->lba_high, value);
        break;
    case DEVICE:
        c->device = value;
        break;
    default:
        if (c->control & CONTROL_SRST || !c->disk[ide_selected(c)].present)
            break;
        acknowledge(c);
        ide_command(c, value);
    }
}

static uint32_t task_read(void *dev, uint16_t offset, unsigned size) {
    struct ide_channel *c = dev;
    uint32_t value = 0;
    if (!any_disk(c))
        return UINT32_MAX; /* nobody drives the cable */
    if (offset == DATA && size > 1)
        return data_read(c, size);
    if (offset == DATA)
        return 0xff;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)register_read(c, offset + i) << 8 * i;
    return value;
}

static void task_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct ide_channel *c = dev;
    if (offset == DATA) {
        if (size > 1)
            data_write(c, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        register_write(c, offset + i, (uint8_t)(value >> 8 * i));
}

/* -- control -- */

static void reset_channel(struct ide_channel *c) {
    c->phase = IDE_IDLE;
    c->device = 0;
    c->irq_pending = false;
    ide_signature(c);
    update_irq(c);
}

static uint32_t control_read(void *dev, uint16_t offset, unsigned size) {
    struct ide_channel *c = dev;
    (void)offset;
    (void)size;
    return any_disk(c) ? status(c) : 0xff;
}

static void control_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct ide_channel *c = dev;
    bool reset = c->control & CONTROL_SRST;
    (void)offset;
    (void)size;
    c->control = (uint8_t)value;
    if (reset && !(value & CONTROL_SRST))
        reset_channel(c);
    update_irq(c);
}

static const struct pio_ops task_ops = {task_read, task_write, 1 | 2 | 4};
static const struct pio_ops control_ops = {control_read, control_write, 1};

/* -- board -- */

static void written(void *dev, unsigned offset, unsigned size) {
    (void)offset;
    (void)size;
    ide_dma_map(dev);
}

static void create_disk(struct ide_disk *d, unsigned number) {
    *d = (struct ide_disk){.host_disk = number, .sectors = host_blk_sectors(number)};
    d->present = d->sectors > 0;
}

static bool create_channel(struct ide *d, unsigned number, struct irq_line irq) {
    struct ide_channel *c = &d->channel[number];
    struct bus *bus = d->vm->bus;
    c->ide = d;
    c->number = number;
    c->irq = irq;
    for (unsigned i = 0; i < 2; i++)
        create_disk(&c->disk[i], number * 2 + i);
    return bus_map_pio(bus, number ? 0x170 : 0x1f0, TASK_FILE, &task_ops, c) &&
           bus_map_pio(bus, number ? 0x376 : 0x3f6, 1, &control_ops, c);
}

bool ide_create(struct ide *d, struct vm *vm, struct pci_bus *bus, struct irq_line irq14,
                struct irq_line irq15) {
    static const struct pci_id id = {0x8086, 0x7010, 0x010180, 0};
    d->vm = vm;
    pci_function_init(&d->pci, PCI_DEVFN(1, 1), &id);
    d->pci.wmask[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MSTR;
    d->pci.wmask[IDETIM + 1] = d->pci.wmask[IDETIM + 3] = 0xff;
    pci_put32(d->pci.wmask, BMIBA, BMIBA_MASK);
    d->pci.written = written;
    d->pci.dev = d;
    return create_channel(d, 0, irq14) && create_channel(d, 1, irq15) && pci_attach(bus, &d->pci);
}

static void reset_disk(struct ide_disk *d) {
    uint64_t cylinders = d->sectors / (16 * 63);
    d->cylinders = cylinders > 16383 ? 16383 : (uint16_t)cylinders;
    d->heads = 16;
    d->track_sectors = 63;
    d->multiple = 0;
    d->transfer_mode = 0;
    d->write_cache = true;
}

void ide_reset(struct ide *d) {
    pci_put16(d->pci.config, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MSTR);
    pci_put16(d->pci.config, PCI_STATUS, 0x0280);
    pci_put32(d->pci.config, BMIBA, BMIBA_PORT | 1);
    d->pci.config[IDETIM + 1] = d->pci.config[IDETIM + 3] = IDETIM_ON;
    for (unsigned n = 0; n < 2; n++) {
        struct ide_channel *c = &d->channel[n];
        reset_disk(&c->disk[0]);
        reset_disk(&c->disk[1]);
        c->control = 0;
        reset_channel(c);
        ide_dma_reset(c);
    }
    ide_dma_map(d);
}
