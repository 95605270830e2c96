/*
 * Loading a Linux bzImage: Linux's Documentation/x86/boot.rst ("32-bit boot protocol") and
 * zero-page.rst.
 *
 *   file:  boot sector + setup code | protected-mode kernel
 *          (setup_sects + 1) * 512    goes to 1 MiB and unpacks itself, needing init_size bytes
 *
 *   RAM:   10000  struct boot_params (one page)
 *          11000  GDT
 *          20000  command line (up to 64 KiB)
 *         100000  kernel
 *            ...  initrd, page-aligned, as high as RAM and initrd_addr_max allow
 *
 * Fields that a protocol version does not have yet are never read from such a file.
 */
#include "vmm/load_linux.h"

#include "host/host.h"
#include "vmm/vm.h"

enum {
    PARAMS_AT = 0x10000,
    PARAMS_BYTES = 4096,
    GDT_AT = 0x11000,
    CMDLINE_AT = 0x20000,
    CMDLINE_MAX = 0xffff,
    SECTOR = 512,
};

/* Setup header fields, as offsets in the file and in struct boot_params alike. */
enum {
    HDR_SETUP_SECTS = 0x1f1,
    HDR_SYSSIZE = 0x1f4,
    HDR_VID_MODE = 0x1fa,
    HDR_BOOT_FLAG = 0x1fe,
    HDR_JUMP = 0x200,
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_CODE32_START = 0x214,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_CMDLINE_PTR = 0x228,
    HDR_INITRD_MAX = 0x22c,   /* 2.03 */
    HDR_ALIGNMENT = 0x230,    /* 2.05 */
    HDR_RELOCATABLE = 0x234,  /* 2.05 */
    HDR_XLOADFLAGS = 0x236,   /* 2.12 */
    HDR_CMDLINE_SIZE = 0x238, /* 2.06 */
    HDR_PREF_ADDRESS = 0x258, /* 2.10 */
    HDR_INIT_SIZE = 0x260,    /* 2.10 */
    HDR_LAST = 0x290,         /* where struct boot_params goes on with other fields */
};

/* Other struct boot_params fields. */
enum { BP_EXT_MEM_K = 0x02, BP_ALT_MEM_K = 0x1e0, BP_E820_COUNT = 0x1e8, BP_E820_MAP = 0x2d0 };

enum {
    LOADFLAGS_HIGH = 1,
    XLF_64BIT = 1,
    LOADER_UNDEFINED = 0xff,
    VID_MODE_NORMAL = 0xffff,
    CMDLINE_MAX_OLD = 255,       /* before 2.06 */
    INITRD_MAX_OLD = 0x37ffffff, /* before 2.03 */
};

struct plan {
    const uint8_t *header; /* the file's first bytes */
    uint32_t header_end;   /* offset where the setup header ends */
    uint16_t version;
    struct load_blob payload;
    uint64_t kernel_end; /* first gpa that the kernel leaves free while it unpacks */
    uint64_t initrd_at;
    uint64_t cmdline_bytes; /* with its NUL */
};

bool load_linux_probe(const struct load_blob *kernel) {
    static const uint8_t magic[4] = {'H', 'd', 'r', 'S'};
    return kernel->size >= HDR_VERSION + 2 && load_u16(kernel->data + HDR_BOOT_FLAG) == 0xaa55 &&
           memcmp(kernel->data + HDR_MAGIC, magic, sizeof magic) == 0;
}

/* Behind the last field that we read from a file of this version. */
static uint32_t least_header_end(uint16_t version) {
    if (version >= 0x20a)
        return HDR_INIT_SIZE + 4;
    if (version >= 0x206)
        return HDR_CMDLINE_SIZE + 4;
    return version >= 0x203 ? HDR_INITRD_MAX + 4 : HDR_CMDLINE_PTR + 4;
}

/* The setup header: is it whole, and a kernel for this machine? */
static enum load_status check_header(const struct load_blob *file, struct plan *p) {
    p->header = file->data;
    p->version = load_u16(file->data + HDR_VERSION);
    if (p->version < 0x202)
        return LOAD_LINUX_OLD;
    /* the jump over the header tells its length */
    p->header_end = HDR_MAGIC + file->data[HDR_JUMP + 1];
    if (p->header_end < least_header_end(p->version) || file->size < p->header_end)
        return LOAD_TRUNCATED;
    if (p->header_end > HDR_LAST)
        p->header_end = HDR_LAST;
    if ((file->data[HDR_LOADFLAGS] & LOADFLAGS_HIGH) == 0)
        return LOAD_LINUX_LOW;
    if (p->version >= 0x20c && (load_u16(file->data + HDR_XLOADFLAGS) & XLF_64BIT) != 0)
        return LOAD_64BIT;
    return LOAD_OK;
}

/* The protected-mode part and the memory it unpacks into. */
static enum load_status place_kernel(const struct vm *vm, const struct load_blob *file,
                                     struct plan *p) {
    uint32_t sectors = p->header[HDR_SETUP_SECTS] ? p->header[HDR_SETUP_SECTS] : 4;
    uint64_t setup = (uint64_t)(sectors + 1) * SECTOR;
    if (file->size <= setup)
        return LOAD_TRUNCATED;
    p->payload = (struct load_blob){file->data + setup, file->size - setup};
    /* syssize counts 16-byte units, rounded up; the older field has two bytes only */
    if (p->version >= 0x204 && p->payload.size + 15 < load_u32(p->header + HDR_SYSSIZE) * 16ull)
        return LOAD_TRUNCATED;

    p->kernel_end = LOAD_HIGH_BASE + p->payload.size;
    if (p->version >= 0x20a) {
        uint64_t align = load_u32(p->header + HDR_ALIGNMENT);
        uint64_t start = LOAD_HIGH_BASE;
        uint64_t preferred = load_u32(p->header + HDR_PREF_ADDRESS);
        if (load_u32(p->header + HDR_PREF_ADDRESS + 4) != 0)
            return LOAD_KERNEL_TOO_BIG;
        if (p->header[HDR_RELOCATABLE] != 0 && align != 0)
            start = (start + align - 1) / align * align;
        if (start < preferred)
            start = preferred;
        uint64_t end = start + load_u32(p->header + HDR_INIT_SIZE);
        if (p->kernel_end < end)
            p->kernel_end = end;
    }
    return p->kernel_end <= vm->mem.ram_size ? LOAD_OK : LOAD_KERNEL_TOO_BIG;
}

static enum load_status place_initrd(const struct vm *vm, const struct load_request *r,
                                     struct plan *p) {
    if (r->module_count > 1)
        return LOAD_LINUX_INITRDS;
    if (r->module_count == 0)
        return LOAD_OK;
    uint64_t size = r->modules[0].blob.size;
    uint64_t top = p->version >= 0x203 ? load_u32(p->header + HDR_INITRD_MAX) : INITRD_MAX_OLD;
    top = top + 1 < vm->mem.ram_size ? top + 1 : vm->mem.ram_size;
    if (size > top)
        return LOAD_INITRD_TOO_BIG;
    p->initrd_at = (top - size) & ~(uint64_t)(PAGE_SIZE - 1);
    return p->initrd_at >= p->kernel_end ? LOAD_OK : LOAD_INITRD_TOO_BIG;
}

static enum load_status check_cmdline(const struct load_request *r, struct plan *p) {
    uint64_t max = p->version >= 0x206 ? load_u32(p->header + HDR_CMDLINE_SIZE) : CMDLINE_MAX_OLD;
    if (max > CMDLINE_MAX)
        max = CMDLINE_MAX;
    uint64_t n = load_strlen(r->cmdline);
    p->cmdline_bytes = n + 1;
    return n <= max ? LOAD_OK : LOAD_CMDLINE_TOO_LONG;
}

/* struct boot_params. Its screen_info stays zero: no text screen, so the kernel probes for none. */
static void write_params(struct vm *vm, const struct load_request *r, const struct plan *p) {
    uint8_t header[HDR_LAST - HDR_SETUP_SECTS];
    uint64_t header_bytes = p->header_end - HDR_SETUP_SECTS;
#define FIELD(offset) (header + (offset)-HDR_SETUP_SECTS)
    memcpy(header, p->header + HDR_SETUP_SECTS, header_bytes);
    *FIELD(HDR_LOADER) = LOADER_UNDEFINED;
    FIELD(HDR_VID_MODE)[0] = VID_MODE_NORMAL & 0xff;
    FIELD(HDR_VID_MODE)[1] = VID_MODE_NORMAL >> 8;
    load_put32(FIELD(HDR_CODE32_START), LOAD_HIGH_BASE);
    load_put32(FIELD(HDR_CMDLINE_PTR), CMDLINE_AT);
    load_put32(FIELD(HDR_RAMDISK_IMAGE), (uint32_t)p->initrd_at);
    load_put32(FIELD(HDR_RAMDISK_SIZE),
               r->module_count > 0 ? (uint32_t)r->modules[0].blob.size : 0);
#undef FIELD
    load_zero(vm, PARAMS_AT, PARAMS_BYTES);
    memmap_write(&vm->mem, PARAMS_AT + HDR_SETUP_SECTS, header, header_bytes);

    struct e820_entry map[E820_MAX];
    uint8_t count = (uint8_t)load_e820(vm, map);
    memmap_write(&vm->mem, PARAMS_AT + BP_E820_COUNT, &count, 1);
    for (unsigned i = 0; i < count; i++) { /* 20 bytes each, without padding */
        gpa_t at = PARAMS_AT + BP_E820_MAP + 20ull * i;
        memmap_write(&vm->mem, at, &map[i].base, 8);
        memmap_write(&vm->mem, at + 8, &map[i].size, 8);
        memmap_write(&vm->mem, at + 16, &map[i].type, 4);
    }
    /* what kernels without E820 support go by */
    uint32_t above_kib = (uint32_t)((vm->mem.ram_size - LOAD_HIGH_BASE) >> 10);
    uint16_t above_old = above_kib < 0xfc00 ? (uint16_t)above_kib : 0xfc00;
    memmap_write(&vm->mem, PARAMS_AT + BP_ALT_MEM_K, &above_kib, 4);
    memmap_write(&vm->mem, PARAMS_AT + BP_EXT_MEM_K, &above_old, 2);
}

enum load_status load_linux(struct vm *vm, const struct load_request *r) {
    struct plan p = {0};
    enum load_status s = check_header(&r->kernel, &p);
    if (s == LOAD_OK)
        s = place_kernel(vm, &r->kernel, &p);
    if (s == LOAD_OK)
        s = place_initrd(vm, r, &p);
    if (s == LOAD_OK)
        s = check_cmdline(r, &p);
    if (s != LOAD_OK)
        return s;

    load_bios_data(vm);
    memmap_write(&vm->mem, LOAD_HIGH_BASE, p.payload.data, p.payload.size);
    if (r->module_count > 0)
        s = load_put_module(vm, r, 0, p.initrd_at);
    if (s != LOAD_OK)
        return s;
    memmap_write(&vm->mem, CMDLINE_AT, r->cmdline, p.cmdline_bytes);
    write_params(vm, r, &p);
    load_flat_cpu(vm, GDT_AT, LOAD_HIGH_BASE);
    vm->vcpu.gpr[ESI] = PARAMS_AT;
    return LOAD_OK;
}
