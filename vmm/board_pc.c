/*
 * A PC: which chip sits at which port and interrupt input. Intel 82371SB/82371AB data sheets for
 * the fixed ISA resources. The functions the run loop asks for are described in vmm/vm.h.
 */
#include "vmm/board_pc.h"

#include <stddef.h>

#include "bt/bt.h"
#include "devices/acpi_loader.h"
#include "devices/acpi_tables.h"
#include "devices/coproc.h"
#include "devices/dma8237.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/ide.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/sysport.h"
#include "devices/uart.h"
#include "devices/vga.h"
#include "host/host.h"
#include "vmm/a20.h"
#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/firmware.h"
#include "vmm/irq.h"

#define SERIAL_PORTS    4u
#define SEABIOS_PM_BASE 0x600u /* where it puts the PIIX4's PM block */

struct board {
    struct vclock clock;
    struct pic pic;
    struct pit pit;
    struct rtc rtc;
    struct dma8237 dma;
    struct sysport sysport;
    struct coproc coproc;
    struct i8042 i8042;
    struct pci_bus pci;
    struct i440fx i440fx;
    struct piix3 piix3;
    struct piix4_pm pm;
    struct uart uart[SERIAL_PORTS];
    struct irq_or serial_irq[2]; /* COM1 and COM3 on IRQ 4, COM2 and COM4 on IRQ 3 */
    uint8_t serial_mask;
    struct a20_gate a20;
    struct firmware firmware;
    bool has_rom;
    bool has_ide;
    struct fw_cfg fw_cfg;
    struct ide ide;
    struct vga vga;
    bool in_run_loop; /* it called us and will look at the INTR line itself */
    uint8_t table_loader[ACPI_LOADER_COMMANDS * ACPI_LOADER_COMMAND_BYTES];
    uint8_t tables[ACPI_TABLES_BYTES]; /* where the firmware tables are put together */
};

/* INTR of the vCPU. */
static void set_intr(void *chip, unsigned input, bool level) {
    struct vm *vm = chip;
    bool rises = level && !vm->vcpu.intr_line;
    (void)input;
    vm->vcpu.intr_line = level;
    if (rises && !vm->board->in_run_loop)
        bt_intr(&vm->vcpu);
}

static bool create_serial(struct board *b, struct bus *bus) {
    static const uint16_t base[SERIAL_PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    bool ok = true;
    b->serial_irq[0].out = pic_input(&b->pic, 4);
    b->serial_irq[1].out = pic_input(&b->pic, 3);
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            ok = ok && uart_create(&b->uart[i], bus, &b->clock, base[i],
                                   irq_or_input(&b->serial_irq[i % 2], i / 2), i);
    return ok;
}

static bool create_pci(struct board *b, struct vm *vm) {
    return pci_create(&b->pci, vm->bus) && i440fx_create(&b->i440fx, &b->pci) &&
           piix3_create(&b->piix3, vm, &b->pci, &b->pic) &&
           piix4_pm_create(&b->pm, vm, &b->pci, &b->clock, pic_input(&b->pic, PM_SCI_IRQ));
}

/* The IDE function is there when a disk is. */
static bool create_ide(struct board *b, struct vm *vm) {
    for (unsigned i = 0; i < IDE_DISKS; i++)
        b->has_ide |= host_blk_sectors(i) > 0;
    return !b->has_ide || ide_create(&b->ide, vm, &b->pci, piix3_isa_input(&b->piix3, 14),
                                     piix3_isa_input(&b->piix3, 15));
}

/* Makes the ACPI tables in b->tables; returns their size. */
static size_t build_tables(struct board *b, const struct vm *vm, uint32_t base, uint16_t pm_base) {
    struct acpi_config config = {.base = base,
                                 .pm_base = pm_base,
                                 .ram_bytes = vm->mem.ram_size,
                                 .vga = b->has_rom, /* without firmware no kernel is told of it */
                                 .serial_mask = b->serial_mask};
    size_t n = acpi_tables_build(b->tables, &config);
    if (n == 0)
        host_panic("board: the ACPI tables do not fit");
    return n;
}

/* What firmware would have put into memory. */
static void put_tables(struct vm *vm) {
    struct board *b = vm->board;
    size_t n = build_tables(b, vm, ACPI_TABLES_GPA, PM_BASE);
    memmap_write(&vm->mem, ACPI_TABLES_GPA, b->tables, n);
}

/* Gives the boot ROM the tables and how to load them. */
static bool offer_tables(struct board *b, const struct vm *vm) {
    size_t n = build_tables(b, vm, 0, SEABIOS_PM_BASE);
    acpi_loader_build(b->tables, b->table_loader);
    return fw_cfg_add(&b->fw_cfg, ACPI_LOADER_RSDP, b->tables, ACPI_LOADER_RSDP_BYTES) &&
           fw_cfg_add(&b->fw_cfg, ACPI_LOADER_TABLES, b->tables, (uint32_t)n) &&
           fw_cfg_add(&b->fw_cfg, ACPI_LOADER_SCRIPT, b->table_loader, sizeof b->table_loader);
}

/* The boot ROM and what it finds the machine by. */
static bool create_firmware(struct board *b, struct vm *vm, const struct board_config *config) {
    if (!config->rom)
        return true;
    b->has_rom = true;
    b->i440fx.route = firmware_route;
    b->i440fx.route_chip = &b->firmware;
    i440fx_identify(&b->i440fx, 0x1af4, 0x1100); /* how SeaBIOS knows that there is fw_cfg */
    rtc_set_boot_order(&b->rtc);
    firmware_create(&b->firmware, vm, config->rom, config->rom_bytes);
    return fw_cfg_create(&b->fw_cfg, vm->bus, config->serial_console) && offer_tables(b, vm) &&
           (!config->vga_rom ||
            fw_cfg_add(&b->fw_cfg, "vgaroms/vgabios.bin", config->vga_rom, config->vga_rom_bytes));
}

bool board_create(struct vm *vm, const struct board_config *config) {
    struct board *b = host_alloc(sizeof *b);
    if (!b || !bus_create(vm))
        return false;
    vm->board = b;
    b->serial_mask = config->serial_mask;
    b->a20 = (struct a20_gate){.open = true, .mem = &vm->mem};
    clock_create(&b->clock);
    struct irq_line intr = {.set = set_intr, .chip = vm};
    bool ok = pic_create(&b->pic, vm->bus, intr) &&
              pit_create(&b->pit, vm->bus, &b->clock, &b->pic) &&
              rtc_create(&b->rtc, vm->bus, &b->clock, &b->pic, vm->mem.ram_size) &&
              sysport_create(&b->sysport, vm, &b->clock, &b->pit, &b->a20, config->debugcon) &&
              coproc_create(&b->coproc, vm->bus, pic_input(&b->pic, 13), &vm->vcpu.ignne) &&
              dma8237_create(&b->dma, vm->bus) &&
              i8042_create(&b->i8042, vm, pic_input(&b->pic, 1), pic_input(&b->pic, 12), &b->a20) &&
              create_pci(b, vm) && create_serial(b, vm->bus) && create_ide(b, vm) &&
              vga_create(&b->vga, vm->bus, &b->clock) && create_firmware(b, vm, config);
    if (!ok)
        host_panic("board: two devices claim one port");
    return true;
}

void board_reset(struct vm *vm) {
    struct board *b = vm->board;
    a20_set(&b->a20, true);
    pic_reset(&b->pic);
    pit_reset(&b->pit);
    rtc_reset(&b->rtc);
    sysport_reset(&b->sysport);
    coproc_reset(&b->coproc);
    dma8237_reset(&b->dma);
    i8042_reset(&b->i8042);
    pci_reset(&b->pci);
    i440fx_reset(&b->i440fx);
    piix3_reset(&b->piix3, &b->pic);
    piix4_pm_reset(&b->pm);
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            uart_reset(&b->uart[i]);
    vga_reset(&b->vga);
    if (b->has_ide)
        ide_reset(&b->ide);
    if (b->has_rom) {
        fw_cfg_reset(&b->fw_cfg);
    } else {
        vga_set_text_mode(&b->vga);
        put_tables(vm);
    }
}

void board_service(struct vm *vm) {
    struct board *b = vm->board;
    b->in_run_loop = true;
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            uart_poll(&b->uart[i]);
    clock_run(&b->clock);
    b->in_run_loop = false;
}

const struct vga *board_vga(const struct vm *vm) {
    return &vm->board->vga;
}

uint8_t board_intr_ack(struct vm *vm) {
    struct board *b = vm->board;
    b->in_run_loop = true;
    uint8_t vector = pic_acknowledge(&b->pic);
    b->in_run_loop = false;
    return vector;
}

void board_ferr(struct vm *vm, bool asserted) {
    coproc_set_ferr(&vm->board->coproc, asserted);
}

uint64_t board_next_deadline(struct vm *vm) {
    return clock_next_host_deadline(&vm->board->clock);
}
