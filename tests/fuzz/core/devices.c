/*
 * Fuzzing the board: any sequence of port and memory-mapped accesses to every device, with time,
 * serial input, interrupt acknowledgement, disk errors and resets between them.
 *
 * Input: which of two machines (with a boot ROM and without), then operations of a byte and their
 * operands.
 *
 * Held against it: the sanitizers; nothing outside the machine is written (guest RAM has guard
 * pages, the disks are heap blocks); every access comes back; and no timer is due again and again
 * without time passing.
 */
#include "tests/fuzz/core/input.h"
#include "tests/unit/unit.h"

#include "devices/vga.h"
#include "vmm/board_pc.h"
#include "vmm/vm.h"

enum {
    RAM_BYTES = 2 << 20,
    CACHE_BYTES = 1 << 20,
    ROM_BYTES = 128 << 10,
    DISK_SECTORS = 512,
    OPERATIONS = 200,
    MMIO_BYTES = 64,
    SERVICES = 64,
};

static struct vm machines[2];
static uint8_t rom[ROM_BYTES];
static uint8_t vga_rom[4096];

static const struct board_config configs[2] = {
    {.rom = rom,
     .rom_bytes = sizeof rom,
     .vga_rom = vga_rom,
     .vga_rom_bytes = sizeof vga_rom,
     .serial_console = true,
     .serial_mask = 15,
     .debugcon = 3},
    {.serial_mask = 3, .debugcon = 2},
};

/* Where something answers, or may come to (bus-master IDE, power management). */
static const struct {
    uint16_t first, count;
} ranges[] = {
    {0x00, 16},  {0x20, 2},    {0x40, 4},    {0x60, 5},    {0x70, 8},  {0x80, 16},
    {0x90, 16},  {0xa0, 2},    {0xb0, 4},    {0xc0, 32},   {0xe9, 1},  {0xf0, 2},
    {0x170, 8},  {0x1f0, 8},   {0x2e8, 8},   {0x2f8, 8},   {0x376, 2}, {0x3b0, 48},
    {0x3e8, 8},  {0x3f6, 2},   {0x3f8, 8},   {0x402, 1},   {0x4d0, 2}, {0x510, 2},
    {0x600, 64}, {0xaf00, 64}, {0xb000, 64}, {0xc000, 16}, {0xcf8, 8}, {0x604, 2},
};

static uint16_t port_of(struct input *in) {
    uint8_t which = input_u8(in), offset = input_u8(in);

    if (which >= 0xf0)
        return (uint16_t)(which << 8 | offset);
    which %= sizeof ranges / sizeof ranges[0];
    return (uint16_t)(ranges[which].first + offset % ranges[which].count);
}

static gpa_t address_of(struct input *in) {
    static const gpa_t bases[] = {0xa0000,   0xb0000,    0xb8000,    0xc0000,    0xe0000,   0xf0000,
                                  RAM_BYTES, 0xfec00000, 0xfee00000, 0xfffe0000, 0xe0000000};
    uint8_t which = input_u8(in);

    return bases[which % (sizeof bases / sizeof bases[0])] + input_u16(in);
}

static unsigned size_of(uint8_t b) {
    return 1u << b % 3;
}

static void configure(struct vm *vm, struct input *in, bool write) {
    uint8_t function = input_u8(in), reg = input_u8(in);

    bus_pio_write(vm, 0xcf8, 4, 0x80000000u | (function & 31u) << 8 | (reg & 0xfcu));
    if (write)
        bus_pio_write(vm, (uint16_t)(0xcfc + (reg & 3)), size_of(function >> 5), input_u32(in));
    else
        bus_pio_read(vm, (uint16_t)(0xcfc + (reg & 3)), size_of(function >> 5));
}

static void mmio(struct vm *vm, struct input *in, bool write) {
    uint8_t buf[MMIO_BYTES];
    gpa_t gpa = address_of(in);
    unsigned size = 1 + input_u8(in) % MMIO_BYTES;

    if (!write) {
        bus_mmio_read(vm, gpa, buf, size);
        return;
    }
    memset(buf, input_u8(in), sizeof buf);
    bus_mmio_write(vm, gpa, buf, size);
}

/* Like the run loop: until no timer is due. */
static void service(struct vm *vm) {
    for (unsigned k = 0; k < SERVICES; k++) {
        board_service(vm);
        if (board_next_deadline(vm) > host_stub.clock_ns)
            return;
    }
    BROKEN("a timer is due for ever");
}

/* What a bus master finds: a table of physical regions. */
static void put_memory(struct vm *vm, struct input *in) {
    uint32_t at = input_u16(in) & 0xfffcu, value = input_u32(in);

    memcpy(vm->mem.ram + at, &value, sizeof value);
}

static void repeat(struct vm *vm, struct input *in) {
    uint16_t port = port_of(in);
    uint8_t how = input_u8(in);
    unsigned size = size_of(how >> 1);

    for (unsigned n = 1 + input_u8(in) * 4u; n; n--) {
        if (how & 1)
            bus_pio_write(vm, port, size, n * 0x01010101u);
        else
            bus_pio_read(vm, port, size);
    }
}

static void host_event(struct vm *vm, struct input *in) {
    uint8_t what = input_u8(in);
    struct host_stub_chr *c = &host_stub.chr[what >> 4 & 3];
    struct host_stub_blk *disk = &host_stub.blk[what >> 4 & 1];

    switch (what & 7) {
    case 0:
        disk->fails = !disk->fails;
        break;
    case 1:
        c->out_limit = what & 0x80 ? 0 : HOST_STUB_CHR_BYTES;
        c->out_count = 0;
        break;
    case 2:
        vm_reset(vm);
        break;
    case 3:
        if (vm->vcpu.intr_line)
            board_intr_ack(vm);
        break;
    default:
        if (c->in_count < HOST_STUB_CHR_BYTES / 2)
            host_stub_chr_feed(what >> 4 & 3, "ringone!", 8);
        break;
    }
    if (c->in_taken == c->in_count)
        c->in_taken = c->in_count = 0;
}

static void operate(struct vm *vm, struct input *in) {
    uint8_t op = input_u8(in);
    uint16_t port;

    switch (op % 12) {
    case 0:
    case 1:
    case 2:
        port = port_of(in);
        bus_pio_write(vm, port, size_of(op >> 6), input_u8(in));
        break;
    case 3:
        port = port_of(in);
        bus_pio_write(vm, port, size_of(op >> 6), input_u32(in));
        break;
    case 4:
    case 5:
        bus_pio_read(vm, port_of(in), size_of(op >> 6));
        break;
    case 6:
        mmio(vm, in, op & 0x80);
        break;
    case 7:
        configure(vm, in, op & 0x80);
        break;
    case 8:
        host_stub.clock_ns += UINT64_C(1) << input_u8(in) % 36;
        service(vm);
        break;
    case 9:
        put_memory(vm, in);
        break;
    case 10:
        repeat(vm, in);
        break;
    default:
        host_event(vm, in);
        break;
    }
    vm->stop = VM_RUNNING;
}

static void new_host(void) {
    static uint8_t *disks[2];

    host_stub_reset();
    host_stub.clock_ns = 1000000000;
    host_stub.wall_seconds = 1700000000;
    for (unsigned k = 0; k < 2; k++) {
        if (!disks[k])
            disks[k] = malloc(DISK_SECTORS * 512);
        memset(disks[k], (int)(k + 1), DISK_SECTORS * 512);
        host_stub.blk[2 * k] = (struct host_stub_blk){.data = disks[k], .sectors = DISK_SECTORS};
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* for host_panic() */
    for (uint32_t i = 0; i < sizeof rom; i++)
        rom[i] = (uint8_t)(i * 7);
    new_host();
    for (unsigned k = 0; k < 2; k++)
        if (!vm_create(&machines[k], RAM_BYTES, CACHE_BYTES, &configs[k]))
            abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct vm *vm = &machines[input_u8(&in) & 1];

    new_host();
    memset(vm->mem.ram, 0, 0x20000);
    vm_reset(vm);
    for (unsigned n = OPERATIONS; n && in.left; n--)
        operate(vm, &in);
    return 0;
}
