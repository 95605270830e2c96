/*
 * Loading a Multiboot kernel: Multiboot Specification 0.6.96, and the ELF part of the System V ABI
 * (gABI chapters 4 and 5, Intel386 supplement).
 *
 *   RAM:    90000  GDT, then the Multiboot information and all that it points to (63 KiB at most;
 *                  the kernel may not load anything there)
 *           where the kernel's headers say
 *           ...    modules, each on a page of its own, above the kernel and above 1 MiB
 *
 * All segments are checked before the first byte is written.
 */
#include "vmm/load_multiboot.h"

#include "host/host.h"
#include "vmm/vm.h"

enum {
    INFO_AT = 0x90000,
    INFO_END = LOAD_LOW_TOP,
    INFO_BYTES = INFO_END - INFO_AT,
    SEARCH_BYTES = 8192,
    SEGMENTS_MAX = 64,
};

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u

/* Header: offsets and flags (specification section 3.1). */
enum {
    MH_FLAGS = 4,
    MH_CHECKSUM = 8,
    MH_HEADER_ADDR = 12,
    MH_LOAD_ADDR = 16,
    MH_LOAD_END_ADDR = 20,
    MH_BSS_END_ADDR = 24,
    MH_ENTRY_ADDR = 28,
    MH_SHORT = 12,
    MH_LONG = 32,
};
#define MHF_PAGE_ALIGN 0x00001u /* modules always are */
#define MHF_MEMORY     0x00002u /* always given */
#define MHF_VIDEO      0x00004u /* a wish: text is what there is */
#define MHF_REQUIRED   0x0ffffu
#define MHF_ADDRESSES  0x10000u

/* Information (section 3.3). */
enum {
    MI_FLAGS = 0,
    MI_MEM_LOWER = 4,
    MI_MEM_UPPER = 8,
    MI_CMDLINE = 16,
    MI_MODS_COUNT = 20,
    MI_MODS_ADDR = 24,
    MI_MMAP_LENGTH = 44,
    MI_MMAP_ADDR = 48,
    MI_LOADER_NAME = 64,
    MI_BYTES = 88,
    MOD_BYTES = 16,
    MMAP_BYTES = 24,
};
#define MIF_MEMORY  0x001u
#define MIF_CMDLINE 0x004u
#define MIF_MODULES 0x008u
#define MIF_MMAP    0x040u
#define MIF_LOADER  0x200u

/* ELF32: header and program header offsets and values. */
enum {
    EH_CLASS = 4,
    EH_DATA = 5,
    EH_MACHINE = 18,
    EH_ENTRY = 24,
    EH_PHOFF = 28,
    EH_PHENTSIZE = 42,
    EH_PHNUM = 44,
    EH_BYTES = 52,
    PH_TYPE = 0,
    PH_OFFSET = 4,
    PH_VADDR = 8,
    PH_PADDR = 12,
    PH_FILESZ = 16,
    PH_MEMSZ = 20,
    PH_BYTES = 32,
    ELFCLASS32 = 1,
    ELFCLASS64 = 2,
    ELFDATA2LSB = 1,
    EM_386 = 3,
    PT_LOAD = 1,
};

struct segment {
    uint64_t file_offset, file_bytes, gpa, bytes;
};

struct plan {
    struct segment segments[SEGMENTS_MAX];
    unsigned count;
    uint64_t end; /* behind the last byte of the kernel */
    uint32_t entry;
};

/* -- where things go -- */

/* Takes a segment into the plan if the file has its bytes and the machine the memory. */
static enum load_status add_segment(const struct vm *vm, const struct load_blob *file,
                                    struct plan *p, const struct segment *s) {
    if (s->file_offset > file->size || s->file_bytes > file->size - s->file_offset)
        return LOAD_TRUNCATED;
    if (s->file_bytes > s->bytes)
        return LOAD_ELF_MALFORMED;
    if (s->bytes == 0)
        return LOAD_OK;
    if (p->count == SEGMENTS_MAX)
        return LOAD_ELF_MALFORMED;
    uint64_t end = s->gpa + s->bytes;
    bool low = end <= INFO_AT;
    bool high = s->gpa >= LOAD_HIGH_BASE && end <= vm->mem.ram_size;
    if (!low && !high)
        return LOAD_ELF_PLACE;
    p->segments[p->count++] = *s;
    if (p->end < end)
        p->end = end;
    return LOAD_OK;
}

static bool entry_is_loaded(const struct plan *p) {
    for (unsigned i = 0; i < p->count; i++)
        if (p->entry - p->segments[i].gpa < p->segments[i].bytes)
            return true;
    return false;
}

/* The header's own addresses ("a.out kludge"): one stretch of the file. */
static enum load_status plan_addresses(const struct vm *vm, const struct load_blob *file,
                                       uint32_t header_at, struct plan *p) {
    const uint8_t *h = file->data + header_at;
    uint64_t header = load_u32(h + MH_HEADER_ADDR), load = load_u32(h + MH_LOAD_ADDR);
    uint64_t load_end = load_u32(h + MH_LOAD_END_ADDR), bss_end = load_u32(h + MH_BSS_END_ADDR);
    if (header < load || header - load > header_at)
        return LOAD_MULTIBOOT_ADDRESSES;
    struct segment s = {.file_offset = header_at - (header - load), .gpa = load};
    if (load_end == 0) /* all of the file */
        load_end = load + (file->size - s.file_offset);
    if (bss_end == 0)
        bss_end = load_end;
    if (load_end < load || bss_end < load_end)
        return LOAD_MULTIBOOT_ADDRESSES;
    s.file_bytes = load_end - load;
    s.bytes = bss_end - load;
    p->entry = load_u32(h + MH_ENTRY_ADDR);
    return add_segment(vm, file, p, &s);
}

static enum load_status check_elf(const struct load_blob *file) {
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
    const uint8_t *e = file->data;
    if (file->size < EH_BYTES)
        return LOAD_TRUNCATED;
    if (memcmp(e, magic, sizeof magic) != 0)
        return LOAD_ELF_MALFORMED;
    if (e[EH_CLASS] == ELFCLASS64)
        return LOAD_64BIT;
    if (e[EH_CLASS] != ELFCLASS32 || e[EH_DATA] != ELFDATA2LSB)
        return LOAD_ELF_MALFORMED;
    if (load_u16(e + EH_MACHINE) != EM_386)
        return LOAD_ELF_MACHINE;
    return load_u16(e + EH_PHENTSIZE) >= PH_BYTES ? LOAD_OK : LOAD_ELF_MALFORMED;
}

static enum load_status plan_elf(const struct vm *vm, const struct load_blob *file,
                                 struct plan *p) {
    enum load_status status = check_elf(file);
    if (status != LOAD_OK)
        return status;
    const uint8_t *e = file->data;
    uint64_t at = load_u32(e + EH_PHOFF), step = load_u16(e + EH_PHENTSIZE);
    uint64_t count = load_u16(e + EH_PHNUM);
    if (at > file->size || count * step > file->size - at)
        return LOAD_TRUNCATED;
    uint32_t entry = load_u32(e + EH_ENTRY);
    p->entry = entry;
    for (const uint8_t *h = e + at; count > 0; count--, h += step) {
        if (load_u32(h + PH_TYPE) != PT_LOAD)
            continue;
        struct segment s = {load_u32(h + PH_OFFSET), load_u32(h + PH_FILESZ),
                            load_u32(h + PH_PADDR), load_u32(h + PH_MEMSZ)};
        status = add_segment(vm, file, p, &s);
        if (status != LOAD_OK)
            return status;
        /* e_entry is a virtual address where a kernel is linked for another place than it loads at
         */
        uint32_t vaddr = load_u32(h + PH_VADDR);
        if (entry - vaddr < s.bytes)
            p->entry = entry - vaddr + (uint32_t)s.gpa;
    }
    return LOAD_OK;
}

/* -- the information structure -- */

/* Host-side image of what stands at INFO_AT. */
struct info {
    struct vm *vm;
    uint32_t used;
    bool full;
};

/* Puts n bytes into the guest; returns their gpa. Nothing is written when they do not fit. */
static uint32_t info_put(struct info *i, const void *data, uint64_t n) {
    uint32_t at = INFO_AT + i->used;
    if (i->full || n > INFO_BYTES - 8 - i->used) {
        i->full = true;
        return 0;
    }
    memmap_write(&i->vm->mem, at, data, n);
    i->used = (i->used + (uint32_t)n + 7) & ~7u;
    return at;
}

static void info_memory_map(struct info *i, uint8_t info[MI_BYTES]) {
    struct e820_entry map[E820_MAX];
    uint8_t entries[E820_MAX * MMAP_BYTES];
    unsigned count = load_e820(i->vm, map);
    for (unsigned n = 0; n < count; n++) {
        uint8_t *e = entries + n * MMAP_BYTES;
        load_put32(e, MMAP_BYTES - 4); /* the size field does not count itself */
        load_put32(e + 4, (uint32_t)map[n].base);
        load_put32(e + 8, (uint32_t)(map[n].base >> 32));
        load_put32(e + 12, (uint32_t)map[n].size);
        load_put32(e + 16, (uint32_t)(map[n].size >> 32));
        load_put32(e + 20, map[n].type);
    }
    load_put32(info + MI_MMAP_LENGTH, count * MMAP_BYTES);
    load_put32(info + MI_MMAP_ADDR, info_put(i, entries, count * MMAP_BYTES));
    load_put32(info + MI_MEM_LOWER, LOAD_LOW_TOP >> 10);
    load_put32(info + MI_MEM_UPPER, (uint32_t)((i->vm->mem.ram_size - LOAD_HIGH_BASE) >> 10));
}

/* "NAME CMDLINE" */
static uint32_t info_cmdline(struct info *i, const struct load_request *r) {
    uint64_t name = load_strlen(r->kernel_name), rest = load_strlen(r->cmdline) + 1;
    if (i->full || name + 1 + rest > INFO_BYTES - 8 - i->used) {
        i->full = true;
        return 0;
    }
    gpa_t at = INFO_AT + i->used;
    memmap_write(&i->vm->mem, at, r->kernel_name, name);
    memmap_write(&i->vm->mem, at + name, " ", 1);
    memmap_write(&i->vm->mem, at + name + 1, r->cmdline, rest);
    i->used = (i->used + (uint32_t)(name + 1 + rest) + 7) & ~7u;
    return (uint32_t)at;
}

/* The module list; the modules' bytes go to first_gpa and up. */
static uint32_t info_modules(struct info *i, const struct load_request *r, uint64_t first_gpa) {
    uint32_t list = INFO_AT + i->used;
    uint64_t at = first_gpa;
    if (i->full || r->module_count > (INFO_BYTES - 8 - i->used) / MOD_BYTES) {
        i->full = true;
        return 0;
    }
    i->used += r->module_count * MOD_BYTES;
    for (unsigned n = 0; n < r->module_count; n++) {
        const struct load_module *m = &r->modules[n];
        uint8_t entry[MOD_BYTES] = {0};
        load_put32(entry, (uint32_t)at);
        load_put32(entry + 4, (uint32_t)(at + m->blob.size));
        load_put32(entry + 8, info_put(i, m->args, load_strlen(m->args) + 1));
        memmap_write(&i->vm->mem, list + n * MOD_BYTES, entry, sizeof entry);
        at = (at + m->blob.size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    }
    return list;
}

static enum load_status write_info(struct vm *vm, const struct load_request *r,
                                   uint64_t modules_at) {
    struct info i = {.vm = vm, .used = LOAD_GDT_BYTES};
    uint8_t info[MI_BYTES] = {0};
    static const char loader[] = "ringone";
    uint32_t at = info_put(&i, info, sizeof info);
    load_put32(info + MI_FLAGS, MIF_MEMORY | MIF_CMDLINE | MIF_MODULES | MIF_MMAP | MIF_LOADER);
    info_memory_map(&i, info);
    load_put32(info + MI_LOADER_NAME, info_put(&i, loader, sizeof loader));
    load_put32(info + MI_CMDLINE, info_cmdline(&i, r));
    load_put32(info + MI_MODS_COUNT, r->module_count);
    load_put32(info + MI_MODS_ADDR, info_modules(&i, r, modules_at));
    if (i.full)
        return LOAD_CMDLINE_TOO_LONG;
    memmap_write(&vm->mem, at, info, sizeof info);
    vm->vcpu.gpr[EBX] = at;
    return LOAD_OK;
}

/* -- the whole -- */

/* Offset of the header, or UINT32_MAX: 4-byte aligned, in the first 8 KiB, sums to zero. */
static uint32_t find_header(const struct load_blob *file) {
    uint64_t end = file->size < SEARCH_BYTES ? file->size : SEARCH_BYTES;
    for (uint32_t at = 0; at + MH_SHORT <= end; at += 4) {
        const uint8_t *h = file->data + at;
        if (load_u32(h) == HEADER_MAGIC &&
            HEADER_MAGIC + load_u32(h + MH_FLAGS) + load_u32(h + MH_CHECKSUM) == 0)
            return at;
    }
    return UINT32_MAX;
}

static enum load_status check_modules(const struct vm *vm, const struct load_request *r,
                                      uint64_t at) {
    for (unsigned n = 0; n < r->module_count; n++) {
        if (at > vm->mem.ram_size || r->modules[n].blob.size > vm->mem.ram_size - at)
            return LOAD_INITRD_TOO_BIG;
        at = (at + r->modules[n].blob.size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    }
    return LOAD_OK;
}

static enum load_status make_plan(const struct vm *vm, const struct load_request *r,
                                  struct plan *p) {
    uint32_t header_at = find_header(&r->kernel);
    if (header_at == UINT32_MAX)
        return LOAD_UNKNOWN;
    uint32_t flags = load_u32(r->kernel.data + header_at + MH_FLAGS);
    if ((flags & MHF_REQUIRED & ~(MHF_PAGE_ALIGN | MHF_MEMORY | MHF_VIDEO)) != 0)
        return LOAD_MULTIBOOT_FEATURE;
    enum load_status s;
    if ((flags & MHF_ADDRESSES) == 0)
        s = plan_elf(vm, &r->kernel, p);
    else if (r->kernel.size - header_at < MH_LONG)
        s = LOAD_TRUNCATED;
    else
        s = plan_addresses(vm, &r->kernel, header_at, p);
    if (s != LOAD_OK)
        return s;
    return entry_is_loaded(p) ? LOAD_OK : LOAD_ELF_ENTRY;
}

enum load_status load_multiboot(struct vm *vm, const struct load_request *r) {
    struct plan p = {0};
    enum load_status s = make_plan(vm, r, &p);
    uint64_t modules_at = p.end < LOAD_HIGH_BASE ? LOAD_HIGH_BASE : p.end;
    modules_at = (modules_at + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (s == LOAD_OK)
        s = check_modules(vm, r, modules_at);
    if (s != LOAD_OK)
        return s;

    load_flat_cpu(vm, INFO_AT, p.entry);
    s = write_info(vm, r, modules_at);
    if (s != LOAD_OK)
        return s;
    load_bios_data(vm);
    for (unsigned i = 0; i < p.count; i++) {
        const struct segment *seg = &p.segments[i];
        memmap_write(&vm->mem, seg->gpa, r->kernel.data + seg->file_offset, seg->file_bytes);
        load_zero(vm, seg->gpa + seg->file_bytes, seg->bytes - seg->file_bytes);
    }
    uint64_t at = modules_at;
    for (unsigned n = 0; n < r->module_count; n++) {
        s = load_put_module(vm, r, n, at);
        if (s != LOAD_OK)
            return s;
        at = (at + r->modules[n].blob.size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    }
    vm->vcpu.gpr[EAX] = LOADER_MAGIC;
    return LOAD_OK;
}
