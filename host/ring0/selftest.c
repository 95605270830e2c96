/*
 * Self-test: each instruction that the manual reserves to CPL 0, or to IOPL, must trap when it
 * stands in the translation cache (Intel SDM vol. 3A section 5.9).
 */
#include "host/ring0/selftest.h"

#include "host/host.h"
#include "host/ring0/console.h"
#include "host/ring0/frames.h"
#include "host/ring0/trap.h"

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
