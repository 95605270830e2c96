/*
 * What the Linux and Multiboot loaders share (load.h): memory map, BIOS data area, flat CPU state.
 *
 * Memory map: ACPI 6.5 section 15 (E820 types). BIOS data area: IBM PS/2 and PC BIOS Interface
 * Technical Reference, section 3. Segments: Intel SDM vol. 3A section 3.4.5.
 */
#include "vmm/load.h"

#include "host/host.h"
#include "vmm/load_linux.h"
#include "vmm/load_multiboot.h"
#include "vmm/vm.h"

const char *load_status_text(enum load_status s) {
    static const char *const texts[LOAD_STATUS_COUNT] = {
        [LOAD_OK] = "no error",
        [LOAD_EMPTY] = "the kernel file is empty",
        [LOAD_UNKNOWN] = "the kernel is neither a Linux bzImage nor a Multiboot image",
        [LOAD_TRUNCATED] = "the kernel file ends before its last part",
        [LOAD_64BIT] = "the kernel is a 64-bit one; the virtual machine is a 32-bit PC",
        [LOAD_LINUX_OLD] = "the Linux kernel's boot protocol is older than 2.02 (Linux 2.4)",
        [LOAD_LINUX_LOW] = "the Linux kernel is a zImage, not a bzImage",
        [LOAD_LINUX_INITRDS] = "a Linux kernel takes one initrd file only",
        [LOAD_MULTIBOOT_FEATURE] = "the Multiboot kernel requires a feature of its loader that "
                                   "version 1 does not define",
        [LOAD_MULTIBOOT_ADDRESSES] = "the addresses in the Multiboot header contradict each other",
        [LOAD_ELF_MALFORMED] = "the kernel's ELF headers are damaged",
        [LOAD_ELF_MACHINE] = "the kernel's ELF header names another processor than the 80386",
        [LOAD_ELF_ENTRY] = "the kernel's entry point lies outside what it loads",
        [LOAD_ELF_PLACE] = "the kernel wants memory that the virtual machine does not have there "
                           "(see -m)",
        [LOAD_CMDLINE_TOO_LONG] = "the kernel command line is too long",
        [LOAD_KERNEL_TOO_BIG] = "the kernel does not fit the guest's memory (see -m)",
        [LOAD_INITRD_TOO_BIG] = "the initrd or modules do not fit the guest's memory (see -m)",
        [LOAD_INITRD_LOST] = "the initrd or a module cannot be read",
    };
    return s < LOAD_STATUS_COUNT ? texts[s] : "unknown error";
}

enum load_status load_kernel(struct vm *vm, const struct load_request *r) {
    if (r->kernel.size == 0)
        return LOAD_EMPTY;
    if (load_linux_probe(&r->kernel))
        return load_linux(vm, r);
    return load_multiboot(vm, r);
}

unsigned load_e820(const struct vm *vm, struct e820_entry map[E820_MAX]) {
    const struct e820_entry fixed[] = {
        {0, LOAD_LOW_TOP, E820_RAM},
        {LOAD_LOW_TOP, 0xa0000 - LOAD_LOW_TOP, E820_RESERVED}, /* extended BIOS data area */
        {0xe0000, 0x20000, E820_RESERVED},                     /* BIOS, with the ACPI tables */
        {LOAD_HIGH_BASE, vm->mem.ram_size - LOAD_HIGH_BASE, E820_RAM},
    };
    memcpy(map, fixed, sizeof fixed);
    return sizeof fixed / sizeof fixed[0];
}

void load_bios_data(struct vm *vm) {
    static const struct {
        uint16_t at, value;
    } fields[] = {{0x400, 0x3f8},               /* COM1 */
                  {0x40e, LOAD_LOW_TOP >> 4},   /* segment of the extended BIOS data area */
                  {0x410, 0x0202},              /* equipment: x87, one serial port */
                  {0x413, LOAD_LOW_TOP >> 10}}; /* KiB of conventional memory */
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        memmap_write(&vm->mem, fields[i].at, &fields[i].value, 2);
    static const uint8_t ebda_kib = 1;
    memmap_write(&vm->mem, LOAD_LOW_TOP, &ebda_kib, 1);
}

enum load_status load_put_module(struct vm *vm, const struct load_request *r, unsigned n,
                                 gpa_t gpa) {
    const struct load_blob *blob = &r->modules[n].blob;

    if (blob->size == 0)
        return LOAD_OK;
    if (blob->data) {
        memmap_write(&vm->mem, gpa, blob->data, blob->size);
        return LOAD_OK;
    }
    uint8_t *to = memmap_overwrite(&vm->mem, gpa, blob->size);
    return to && r->read_module(r->context, n, to) ? LOAD_OK : LOAD_INITRD_LOST;
}

void load_zero(struct vm *vm, gpa_t gpa, uint64_t n) {
    static const uint8_t zeros[PAGE_SIZE];
    while (n > 0) {
        uint64_t part = n < sizeof zeros ? n : sizeof zeros;
        memmap_write(&vm->mem, gpa, zeros, part);
        gpa += part;
        n -= part;
    }
}

void load_flat_cpu(struct vm *vm, gpa_t gdt, uint32_t entry) {
    struct vcpu *v = &vm->vcpu;
    /* base 0, limit FFFFFh pages: 9B = present code, readable, accessed; 93 = data, writable */
    static const uint64_t descriptors[LOAD_GDT_BYTES / 8] = {[LOAD_CS / 8] = 0x00cf9b000000ffffull,
                                                             [LOAD_DS / 8] = 0x00cf93000000ffffull};
    const uint16_t flat = SEG_P | SEG_S | SEG_A | SEG_W | SEG_DB | SEG_G;
    const struct seg code = {LOAD_CS, flat | SEG_CODE, 0, 0xffffffff};
    const struct seg data = {LOAD_DS, flat, 0, 0xffffffff};

    memmap_write(&vm->mem, gdt, descriptors, sizeof descriptors);
    v->gdtr = (struct dtable){(uint32_t)gdt, LOAD_GDT_BYTES - 1};
    for (unsigned i = 0; i < SEG_COUNT; i++)
        vcpu_set_seg(v, i, i == SEG_CS ? &code : &data);
    v->cr0 = CR0_PE | CR0_ET;
    vcpu_set_eflags(v, 0, ~0u);
    memset(v->gpr, 0, sizeof v->gpr);
    v->cpl = 0;
    v->eip = entry;
}

uint64_t load_strlen(const char *s) {
    const volatile char *at = s; /* or the compiler makes this a call of strlen() */
    uint64_t n = 0;
    while (at[n] != '\0')
        n++;
    return n;
}
