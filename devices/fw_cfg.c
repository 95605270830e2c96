/* Firmware configuration; see fw_cfg.h. */
#include "devices/fw_cfg.h"

#include "host/host.h"

/* Items; what is not there reads as zeros. */
#define ITEM_SIGNATURE 0x00u
#define ITEM_FEATURES  0x01u
#define ITEM_NOGRAPHIC 0x04u
#define ITEM_CPUS      0x05u
#define ITEM_CPUS_MAX  0x0fu
#define ITEM_DIRECTORY 0x19u
#define ITEM_FILE      0x20u /* the first one */

#define FEATURE_PORTS   1u
#define DIRECTORY_HEAD  4u  /* how many entries follow */
#define DIRECTORY_ENTRY 64u /* size, selector, reserved, name */

static uint8_t byte_of(uint32_t value, uint32_t at) {
    return at < 4 ? (uint8_t)(value >> 8 * at) : 0;
}

static uint8_t big_endian(uint32_t value, uint32_t at) {
    return byte_of(value, 3 - at);
}

static uint8_t directory_byte(const struct fw_cfg *f, uint32_t at) {
    if (at < DIRECTORY_HEAD)
        return big_endian(f->files, at);
    uint32_t n = (at - DIRECTORY_HEAD) / DIRECTORY_ENTRY;
    uint32_t offset = (at - DIRECTORY_HEAD) % DIRECTORY_ENTRY;
    if (n >= f->files)
        return 0;
    if (offset < 4)
        return big_endian(f->file[n].size, offset);
    if (offset < 8) /* selector, then two reserved bytes */
        return big_endian((ITEM_FILE + n) << 16, offset - 4);
    return (uint8_t)f->file[n].name[offset - 8];
}

static uint8_t item_byte(const struct fw_cfg *f, unsigned item, uint32_t at) {
    static const char signature[4] = {'Q', 'E', 'M', 'U'};

    if (item >= ITEM_FILE && item < ITEM_FILE + f->files) {
        const struct fw_cfg_file *file = &f->file[item - ITEM_FILE];
        return at < file->size ? file->data[at] : 0;
    }
    switch (item) {
    case ITEM_SIGNATURE:
        return at < sizeof signature ? (uint8_t)signature[at] : 0;
    case ITEM_FEATURES:
        return byte_of(FEATURE_PORTS, at);
    case ITEM_NOGRAPHIC:
        return byte_of(f->serial_console, at);
    case ITEM_CPUS:
    case ITEM_CPUS_MAX:
        return byte_of(1, at);
    case ITEM_DIRECTORY:
        return directory_byte(f, at);
    default:
        return 0;
    }
}

static uint32_t read(void *dev, uint16_t offset, unsigned size) {
    struct fw_cfg *f = dev;
    if (offset == 0 || size != 1)
        return 0;
    uint8_t value = item_byte(f, f->selected, f->at);
    if (f->at < UINT32_MAX)
        f->at++;
    return value;
}

static void write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct fw_cfg *f = dev;
    if (offset != 0)
        return;
    f->selected = size == 1 ? (uint8_t)value : (uint16_t)value;
    f->at = 0;
}

static const struct pio_ops ops = {read, write, 1 | 2};

bool fw_cfg_create(struct fw_cfg *f, struct bus *bus, bool serial_console) {
    *f = (struct fw_cfg){.serial_console = serial_console};
    return bus_map_pio(bus, 0x510, 2, &ops, f);
}

bool fw_cfg_add(struct fw_cfg *f, const char *name, const uint8_t *data, uint32_t size) {
    if (f->files == FW_CFG_FILES)
        return false;
    struct fw_cfg_file *file = &f->file[f->files];
    *file = (struct fw_cfg_file){.data = data, .size = size};
    for (unsigned i = 0; name[i] != '\0'; i++) {
        if (i == FW_CFG_NAME - 1)
            return false;
        file->name[i] = name[i];
    }
    f->files++;
    return true;
}

void fw_cfg_reset(struct fw_cfg *f) {
    f->selected = 0;
    f->at = 0;
}
