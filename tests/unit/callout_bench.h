/*
 * The workbench of cpu_bench.h with a VM around it, for the callouts of system, port and string
 * instructions: the rest of the MMU they use, ports that record, and argument words.
 *
 * Included by one .c per test program.
 */
#ifndef TESTS_UNIT_CALLOUT_BENCH_H
#define TESTS_UNIT_CALLOUT_BENCH_H

#include "tests/unit/cpu_bench.h"
#include "vmm/vm.h"

/* -- argument words (vmm/callout.h) -- */

#define A_REG(r)    ((uint64_t)(r))
#define A_RM(r)     ((uint64_t)(r) << 4)
#define A_MEM(sreg) ((uint64_t)1 << 8 | (uint64_t)(sreg) << 9)
#define A_SEG(sreg) ((uint64_t)(sreg) << 9)
#define A_OP(bytes) ((uint64_t)(bytes) << 12)
#define A_AD(bytes) ((uint64_t)(bytes) << 16)
#define A_REP(kind) ((uint64_t)(kind) << 20)
#define A_IMM(x)    ((uint64_t)(x) << 32)
#define A_IMM8(x)   ((uint64_t)(x) << 24)

/* -- the MMU's events and pointers -- */

static struct {
    unsigned mode_changes, invlpgs;
    gla_t invalidated;
} mmu_events;

void mmu_mode_changed(struct vcpu *v) {
    (void)v;
    mmu_events.mode_changes++;
}

void mmu_invlpg(struct vcpu *v, gla_t gla) {
    (void)v;
    mmu_events.invlpgs++;
    mmu_events.invalidated = gla;
}

uint8_t *mmu_page_ptr(struct vcpu *v, gla_t gla, unsigned access) {
    if (!mmu_probe(v, gla, 1, access))
        return NULL;

    uint8_t state = page_state[gla >> 12];

    return state == PAGE_DEVICE || (state == PAGE_CODE && (access & MMU_W)) ? NULL : memory + gla;
}

/* -- the VM: `bench_vm.vcpu` is not used, the CPU under test is `cpu` -- */

enum { PORT_LOG = 64 };

static struct vm bench_vm;
static struct {
    unsigned reads, writes;
    struct {
        uint16_t port;
        unsigned size;
        uint32_t value;
    } write[PORT_LOG];
    uint32_t next_read;  /* value of the next read; counts up */
    unsigned kick_after; /* accesses until vm.kicked is set; 0 never */
    unsigned stop_after; /* accesses until vm.stop is set; 0 never */
} ports;

static void port_access(struct vm *vm) {
    unsigned n = ports.reads + ports.writes;

    if (n == ports.kick_after)
        vm->kicked = true;
    if (n == ports.stop_after)
        vm->stop = VM_STOP_POWEROFF;
}

uint32_t bus_pio_read(struct vm *vm, uint16_t port, unsigned size) {
    (void)port;
    (void)size;
    ports.reads++;
    port_access(vm);
    return ports.next_read++;
}

void bus_pio_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value) {
    if (ports.writes < PORT_LOG) {
        ports.write[ports.writes].port = port;
        ports.write[ports.writes].size = size;
        ports.write[ports.writes].value = value;
    }
    ports.writes++;
    port_access(vm);
}

static inline int callout_bench_reset(void **state) {
    bench_reset(state);
    memset(&mmu_events, 0, sizeof mmu_events);
    memset(&ports, 0, sizeof ports);
    bench_vm.kicked = false;
    bench_vm.stop = VM_RUNNING;
    cpu.vm = &bench_vm;
    return 0;
}

/* -- assertions -- */

/* The instruction is done and translated code goes on. */
#define EXPECT_NEXT(call)                                                                          \
    do {                                                                                           \
        assert_int_equal((call), CALLOUT_NEXT);                                                    \
        assert_false(cpu.exc.pending);                                                             \
    } while (0)

/* The instruction is done and translated code was left. */
#define EXPECT_LEAVE(call)                                                                         \
    do {                                                                                           \
        cpu.eip = 0x4000;                                                                          \
        cpu.next_eip = 0x4002;                                                                     \
        assert_int_equal((call), CALLOUT_EXIT);                                                    \
        assert_false(cpu.exc.pending);                                                             \
        assert_int_equal(cpu.eip, 0x4002);                                                         \
    } while (0)

#define CALLOUT_TEST(f) cmocka_unit_test_setup(f, callout_bench_reset)

#endif
