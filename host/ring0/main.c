/*
 * ringone on bare metal: start-up in ring 0, the life of the VM in ring 1 (docs/ring0.md).
 *
 * Exit status as the process host's: 0 when the guest switched off, 2 for a bad option or module or
 * a machine that cannot run it.
 */
#include <stddef.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/ring0/blk.h"
#include "host/ring0/channel.h"
#include "host/ring0/clock.h"
#include "host/ring0/console.h"
#include "host/ring0/control.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/frames.h"
#include "host/ring0/gdt.h"
#include "host/ring0/i8259.h"
#include "host/ring0/idt.h"
#include "host/ring0/lapic.h"
#include "host/ring0/layout.h"
#include "host/ring0/limit.h"
#include "host/ring0/log.h"
#include "host/ring0/multiboot.h"
#include "host/ring0/names.h"
#include "host/ring0/options.h"
#include "host/ring0/paging.h"
#include "host/ring0/power.h"
#include "host/ring0/ram.h"
#include "host/ring0/sample.h"
#include "host/ring0/screendump.h"
#include "host/ring0/selftest.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"
#include "host/ring0/stack16.h"
#include "host/ring0/trap.h"
#include "host/ring0/vga.h"
#include "host/stats.h"
#include "vmm/board_pc.h"
#include "vmm/load.h"
#include "vmm/vm.h"

enum {
    STACK_BYTES = 256 << 10,
    CACHE_BYTES = 64 << 20,
    CACHE_MIN_BYTES = 8 << 20,
    CACHE_SHARE = 8, /* of the memory left to the VMM */
    CPUID1_EDX_SSE2 = 1u << 26,
};

#define NS_PER_MS 1000000ull

static struct vm machine;
static struct boot_info boot;
static struct options options;
static int options_module = -1; /* its place in boot.modules */
static struct load_module guest_modules[BOOT_MODULES];
static struct load_request request;
static struct load_blob rom, vga_rom;
static _Alignas(16) uint8_t ring1_stack[STACK_BYTES];

void kernel_main(uint32_t multiboot); /* called by boot.S */

_Noreturn static void refuse(const char *what, const char *why) {
    console_print("ringone: %s%s\n", what, why);
    service_call(SERVICE_POWER_OFF, POWER_REFUSED, 0);
    __builtin_unreachable();
}

static struct load_blob blob(const struct boot_module *m) {
    return (struct load_blob){direct_map(m->at.start), m->at.end - m->at.start};
}

/* The options module, wherever it stands. Before anything can go wrong: it says where to report. */
static void read_options(void) {
    options_default(&options);
    for (unsigned i = 0; i < boot.module_count; i++) {
        char *text = direct_map(boot.modules[i].at.start);
        size_t size = boot.modules[i].at.end - boot.modules[i].at.start;
        if (boot.modules[i].at.end > BOOT_MAP_BYTES || !options_is(text, size))
            continue;
        const char *trouble = options_parse(text, size, &options);
        power_set_exit_port(options.exit_port);
        console_use_port(options.messages);
        channel_use_port(options.channel_port);
        if (trouble)
            refuse("", trouble);
        options_module = (int)i;
    }
}

/* The other modules: symbols and ROMs if there are any, the kernel, what is for the guest. */
static void sort_modules(void) {
    bool rom_next = options.bios, vga_rom_next = options.vga_bios;

    request.modules = guest_modules;
    request.cmdline = options.append;
    bool symbols_next = options.symbols;
    const char *trouble = log_start(options.log_mask, options.log_filter);
    if (trouble)
        refuse("", trouble);
    for (int i = 0; i < (int)boot.module_count; i++) {
        const struct boot_module *m = &boot.modules[i];
        if (i == options_module)
            continue;
        if (symbols_next) {
            trouble = names_take(direct_map(m->at.start), m->at.end - m->at.start);
            if (trouble)
                refuse("", trouble);
            symbols_next = false;
        } else if (rom_next) {
            rom = blob(m);
            rom_next = false;
        } else if (vga_rom_next) {
            vga_rom = blob(m);
            vga_rom_next = false;
        } else if (!request.kernel_name) {
            request.kernel = blob(m);
            request.kernel_name = m->text;
        } else {
            guest_modules[request.module_count++] = (struct load_module){blob(m), m->text};
        }
    }
    if (!request.kernel_name && !options.bios)
        refuse("", "no boot module is a guest kernel");
}

static void load(void) {
    if (!request.kernel_name) /* the firmware at the reset vector will find one */
        return;
    enum load_status s = load_kernel(&machine, &request);

    if (s != LOAD_OK)
        refuse("the guest's kernel or modules: ", load_status_text(s));
}

static void create(void) {
    struct board_config board = {.rom = rom.data,
                                 .rom_bytes = (uint32_t)rom.size,
                                 .vga_rom = vga_rom.data,
                                 .vga_rom_bytes = (uint32_t)vga_rom.size,
                                 .serial_console = options.serial_console,
                                 .serial_mask = 1,
                                 .debugcon = options.debugcon ? CHANNEL_DEBUGCON : -1};
    /* the ROM is there twice, below 1 MiB and below 4 GiB */
    uint64_t ram_frames = (options.ram_bytes + 2 * rom.size) / FRAME_BYTES + 2;
    uint64_t spare = frames_spare();

    if (spare <= ram_frames)
        refuse("", "this machine has too little memory for the guest's");
    ram_expect(rom.size ? ram_frames * FRAME_BYTES : options.ram_bytes);
    uint64_t cache = (spare - ram_frames) * FRAME_BYTES / CACHE_SHARE & ~(uint64_t)0xfffff;
    if (cache > CACHE_BYTES)
        cache = CACHE_BYTES;
    if (cache < CACHE_MIN_BYTES || !vm_create(&machine, options.ram_bytes, cache, &board))
        refuse("", "this machine has too little memory beside the guest's");
    vm_set_form(&machine, VM_FORM_DIRECT); /* a window's pages cost little here */
    machine.counting = options.stats;
}

/* The x87/SSE state that a processor has after reset (Intel SDM vol. 3A table 9-1). */
static void reset_fpu(void) {
    static const _Alignas(16) struct {
        uint16_t fcw, fsw;
        uint8_t rest[20];
        uint32_t mxcsr;
        uint8_t more[484];
    } state = {.fcw = 0x037f, .mxcsr = 0x1f80};

    __asm__ volatile("fxrstor64 %0" : : "m"(state));
}

/* The guest through its restarts. */
static void live(void) {
    for (;;) {
        reset_fpu();
        machine.vcpu.tsc_offset = 0; /* user code reads the TSC as it is */
        sample_start();
        bt_run(&machine.vcpu);
        sample_stop();
        if (machine.stop != VM_STOP_RESET && machine.stop != VM_STOP_TRIPLE_FAULT)
            return;
        if (machine.stop == VM_STOP_TRIPLE_FAULT)
            names_say_triple_fault(&machine);
        if (options.no_reboot)
            return;
        sample_fold();
        vm_reset(&machine);
        if (control_quit_asked())
            return;
        names_forget();
        load();
    }
}

static void print_stats(void) {
    stats_print(&machine, console_print);
    console_print("\nring crossings\n");
    for (unsigned n = 0; n < SERVICE_COUNT; n++)
        console_print("  %-28s %14lu\n", service_name(n), service_count[n]);
    console_print("  %-28s %14lu\n", "exceptions", trap_counts.exceptions);
    console_print("  %-28s %14lu\n", "interrupts", trap_counts.interrupts);
    console_print("  %-28s %14lu\n", "kicks taken in ring 1", trap_counts.kicks_ring1);
    console_print("  %-28s %14lu\n", "traps from ring 3", trap_counts.user);
    for (unsigned ring = 0; ring < 4; ring++)
        console_print("  translated code in ring %-5u %14lu\n", ring, trap_counts.translated[ring]);
}

static void ring1_main(void) {
    blk_give(options.disks);
    create();
    load();
    trap_watch(&machine.vcpu);
    names_watch(&machine);
    if (options.profile && !sample_create(&machine))
        refuse("-profile: ", "this machine has too little memory for it");
    control_watch(&machine, options.keys);
    if (options.selftest)
        selftest_privileged();
    if (options.random_count > 0) {
        selftest_random(&machine, options.random_first, options.random_count, options.random_ms);
        vm_reset(&machine);
        load();
    }
    if (options.limit_ms > 0)
        limit_set(&machine, host_clock_ns() + options.limit_ms * NS_PER_MS);
    live();
    service_call(SERVICE_SERIAL, 0, 0);
    if (options.screendump)
        screendump_send(&machine);
    sample_fold();
    if (options.stats)
        print_stats();
    service_call(SERVICE_POWER_OFF, POWER_OK, 0);
}

void kernel_main(uint32_t multiboot) {
    serial_init();
    vga_init();
    const char *trouble = multiboot_read(multiboot, &boot);
    if (trouble)
        refuse("", trouble);
    read_options();
    frames_init(&boot);
    gdt_load();
    idt_load(options.profile);
    paging_init(&boot);
    sort_modules();
    if (!stack16_init())
        refuse("", "this machine has too little memory");
    if (!(cpuid(1, 0).edx & CPUID1_EDX_SSE2))
        refuse("", "this processor has no SSE2");
    i8259_init();
    if (!lapic_init())
        refuse("", "this processor has no local APIC");
    if (options.profile)
        clock_kick_every(SAMPLE_PERIOD_NS);
    if (!clock_init())
        refuse("", "the machine's timer does not count");
    i8259_unmask(SERIAL_IRQ);
    if (channel_is_open()) { /* on a PC without launcher COM2 is not ours */
        i8259_unmask(CONTROL_IRQ);
        serial_listen_com2();
    }
    ring1_enter(ring1_main, ring1_stack + sizeof ring1_stack);
}
