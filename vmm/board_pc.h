/*
 * The board: a PC with i440FX and PIIX, wired in one place.
 */
#ifndef VMM_BOARD_PC_H
#define VMM_BOARD_PC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vm.h"

struct board_config {
    const uint8_t *rom; /* boot ROM (vmm/firmware.h), which lives as long as the VM; NULL: none */
    uint32_t rom_bytes;
    const uint8_t *vga_rom; /* VGA BIOS for the boot ROM to install; NULL: none */
    uint32_t vga_rom_bytes;
    bool serial_console; /* the boot ROM is to use COM1 as its screen and keyboard too */
    uint8_t serial_mask; /* bit i: serial port i (0-3) is fitted, on host character channel i */
    int debugcon; /* host character channel of the debug console (ports E9h, 402h), -1: none */
};

/* Makes vm->bus and vm->board with all devices. vm->mem must exist. False: no host memory. */
bool board_create(struct vm *vm, const struct board_config *config);
/* Resets every device and, when there is no boot ROM, puts the firmware's tables into guest RAM. */
void board_reset(struct vm *vm);

/* The display, for the host to show (devices/vga.h). */
struct vga;
const struct vga *board_vga(const struct vm *vm);

#endif
