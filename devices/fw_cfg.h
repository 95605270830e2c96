/*
 * Firmware configuration: numbered items and named files that boot firmware reads from the machine
 * instead of probing for them.
 *
 * QEMU's docs/specs/fw_cfg describes the interface: selector at port 510h, data one byte at a time
 * at 511h; the items' bytes are little-endian, the file directory's big-endian. There is no DMA.
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

enum { FW_CFG_FILES = 8, FW_CFG_NAME = 56 };

struct fw_cfg_file {
    char name[FW_CFG_NAME];
    const uint8_t *data;
    uint32_t size;
};

struct fw_cfg {
    uint16_t selected;
    uint32_t at; /* offset of the next data byte */
    bool serial_console;
    unsigned files;
    struct fw_cfg_file file[FW_CFG_FILES];
};

/* Attaches ports 510h-511h. serial_console: asks the firmware to use COM1 as its screen and
 * keyboard too. False: a port is taken. */
bool fw_cfg_create(struct fw_cfg *f, struct bus *bus, bool serial_console);
/* Adds a file; data must live as long as the machine. False: no room, or the name is too long. */
bool fw_cfg_add(struct fw_cfg *f, const char *name, const uint8_t *data, uint32_t size);
void fw_cfg_reset(struct fw_cfg *f);

#endif
