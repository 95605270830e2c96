/*
 * Self-tests (selftest.h).
 *
 * Each instruction that the manual reserves to CPL 0, or to IOPL, must trap when it stands in the
 * translation cache (Intel SDM vol. 3A section 5.9).
 *
 * Kernels of random bytes: whatever they do, the VM is ended, and its successor runs.
 */
#include "host/ring0/selftest.h"

#include "bt/bt.h"
#include "host/host.h"
#include "host/ring0/console.h"
#include "host/ring0/frames.h"
#include "host/ring0/limit.h"
#include "host/ring0/trap.h"
#include "vmm/load.h"
#include "vmm/vm.h"

enum { INSN_MAX = 8, RET = 0xc3 };

static const struct {
    const char *name;
    uint8_t length;
    uint8_t bytes[INSN_MAX];
} tries[] = {
    {"cli", 1, {0xfa}},
    {"sti", 1, {0xfb}},
    {"hlt", 1, {0xf4}},
    {"in al, dx", 1, {0xec}},
    {"out dx, al", 1, {0xee}},
    {"mov rax, cr0", 3, {0x0f, 0x20, 0xc0}},
    {"mov cr3, rax", 3, {0x0f, 0x22, 0xd8}},
    {"mov rax, dr7", 3, {0x0f, 0x21, 0xf8}},
    {"invlpg [rsp]", 4, {0x0f, 0x01, 0x3c, 0x24}},
    {"lgdt [rsp]", 4, {0x0f, 0x01, 0x14, 0x24}},
    {"lidt [rsp]", 4, {0x0f, 0x01, 0x1c, 0x24}},
    {"ltr ax", 3, {0x0f, 0x00, 0xd8}},
    {"clts", 2, {0x0f, 0x06}},
    {"wbinvd", 2, {0x0f, 0x09}},
    {"rdmsr", 2, {0x0f, 0x32}},
    {"wrmsr", 2, {0x0f, 0x30}},
    {"int 20h", 2, {0xcd, 0x20}},
};

void selftest_privileged(void) {
    struct host_code code;

    if (!host_code_create(&code, FRAME_BYTES))
        host_panic("self-test: no code memory");
    for (unsigned i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        memcpy(code.rw, tries[i].bytes, tries[i].length);
        code.rw[tries[i].length] = RET;
        trap_probe = (struct trap_probe){
            .rip = (uint64_t)(uintptr_t)code.rx, .skip = tries[i].length, .vector = TRAP_NONE};
        ((void (*)(void))(uintptr_t)code.rx)();
        console_print("self-test: %s: vector %lu in ring %lu\n", tries[i].name, trap_probe.vector,
                      trap_probe.cs & 3);
    }
    trap_probe = (struct trap_probe){.vector = TRAP_NONE};
}

/* -- kernels of random bytes -- */

enum { RANDOM_BYTES = 65536, HEADER_WORDS = 8, KERNEL_AT = 0x200000, GOOD_RESULT = 5050 };

#define NS_PER_MS  1000000ull
#define GOOD_MS    20000u
#define BOOT_MAGIC 0x1badb002u
#define BOOT_ADDRS 0x10000u /* the header says where it is loaded */
#define BOOT_HEADER                                                                                \
    BOOT_MAGIC, BOOT_ADDRS, -BOOT_MAGIC - BOOT_ADDRS, KERNEL_AT, KERNEL_AT, 0, 0,                  \
        KERNEL_AT + HEADER_WORDS * 4

static const uint32_t header[HEADER_WORDS] = {BOOT_HEADER};

/* xor eax, eax; mov ecx, 100; 1: add eax, ecx; loop 1b; mov esi, eax; then the PIIX4's soft-off:
 * mov dx, 604h; mov ax, 2000h; out dx, ax; jmp $ */
static const uint8_t good[] = {0x31, 0xc0, 0xb9, 100,  0,    0,    0,    0x01, 0xc8,
                               0xe2, 0xfc, 0x89, 0xc6, 0x66, 0xba, 0x04, 0x06, 0x66,
                               0xb8, 0x00, 0x20, 0x66, 0xef, 0xeb, 0xfe};

static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* Runs the image in a machine that knows nothing of the one before. */
static void run_kernel(struct vm *vm, const uint8_t *image, uint64_t size, uint32_t ms) {
    static const uint8_t zeros[FRAME_BYTES];
    struct load_request request = {.kernel = {image, size}, .kernel_name = "", .cmdline = ""};

    for (uint64_t at = 0; at < vm->mem.ram_size; at += FRAME_BYTES)
        memmap_write(&vm->mem, at, zeros, FRAME_BYTES);
    vm_reset(vm);
    enum load_status status = load_kernel(vm, &request);
    if (status != LOAD_OK)
        host_panic("self-test: kernel: %s", load_status_text(status));
    vm->vcpu.tsc_offset = 0;
    limit_set(vm, host_clock_ns() + ms * NS_PER_MS);
    bt_run(&vm->vcpu);
    limit_set(vm, UINT64_MAX);
}

void selftest_random(struct vm *vm, uint32_t first, uint32_t count, uint32_t ms) {
    static const char *const ends[] = {[VM_STOP_POWEROFF] = "switched off",
                                       [VM_STOP_RESET] = "reset",
                                       [VM_STOP_TRIPLE_FAULT] = "triple fault",
                                       [VM_STOP_QUIT] = "ran until the limit"};
    uint8_t *image = host_alloc(sizeof header + RANDOM_BYTES);

    if (!image)
        host_panic("self-test: no memory");
    memcpy(image, header, sizeof header);
    for (uint32_t seed = first; count > 0; seed++, count--) {
        uint64_t state = seed + 1;
        for (unsigned i = 0; i < RANDOM_BYTES; i += sizeof state) {
            uint64_t word = next_random(&state);
            memcpy(image + sizeof header + i, &word, sizeof word);
        }
        run_kernel(vm, image, sizeof header + RANDOM_BYTES, ms);
        const char *end = ends[vm->stop];
        memset(image + sizeof header, 0, sizeof good);
        memcpy(image + sizeof header, good, sizeof good);
        run_kernel(vm, image, sizeof header + sizeof good, GOOD_MS);
        if (vm->stop != VM_STOP_POWEROFF || vm->vcpu.gpr[ESI] != GOOD_RESULT)
            host_panic("self-test: behind seed %u: stop %u, %x", seed, (unsigned)vm->stop,
                       vm->vcpu.gpr[ESI]);
        console_print("\nself-test: random kernel %u: %s; the next one works\n", seed, end);
    }
}
