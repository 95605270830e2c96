/*
 * One virtual machine: everything hangs off this struct; there are no globals.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmu/memmap.h"
#include "vmm/vcpu.h"

struct bt;
struct mmu;
struct board;
struct bus;

/* Why bt_run returned. */
enum vm_stop {
    VM_RUNNING = 0,
    VM_STOP_POWEROFF, /* the guest switched the machine off: exit status 0 */
    VM_STOP_RESET,    /* the guest asked for a reset (vm_reset restarts it, or -no-reboot ends) */
    VM_STOP_TRIPLE_FAULT, /* as a reset */
    VM_STOP_QUIT,         /* the user quit */
};

/* How memory operands are translated: as the MMU finds best, or, for tests, always through the
 * software TLB, or through windows from the start, with all user code hot (bt/heat.c) or none. */
enum vm_form { VM_FORM_AUTO = 0, VM_FORM_CHECKED, VM_FORM_DIRECT, VM_FORM_SHORT };

struct vm {
    struct vcpu vcpu;
    struct memmap mem;
    struct mmu *mmu;
    struct bt *bt;
    struct board *board; /* vmm/board_pc.c: devices, clock */
    struct bus *bus;     /* vmm/bus.c: who answers at which port and address */
    bool counting;       /* translated code counts for -stats; set before the VM runs */
    enum vm_form form;
    volatile enum vm_stop stop; /* set by vm_request_stop; the run loop leaves at the next chance */
    volatile bool kicked;       /* a host event waits: devices and timers want service */
};

struct board_config;

/* Makes a VM in *vm, reset and stopped at the reset vector: RAM of ram_bytes (see memmap_create), a
 * translation cache of cache_bytes, the board's devices. False: no host memory. */
bool vm_create(struct vm *vm, uint64_t ram_bytes, size_t cache_bytes,
               const struct board_config *board);
/* The RESET pin: CPU and devices start anew, RAM keeps its contents, vm->stop is cleared. */
void vm_reset(struct vm *vm);

/* Fixes the form of memory operands. Before the VM runs. */
void vm_set_form(struct vm *vm, enum vm_form form);
/* Ends bt_run soon. From VMM code on the vCPU's thread or a signal handler. */
void vm_request_stop(struct vm *vm, enum vm_stop why);

/* -- what the run loop (bt/run.c) asks of the board (vmm/board_pc.c) -- */

/* Runs due timers, hands the input host_poll() has fetched to the devices, updates vcpu.intr_line
 * and arms the next deadline. Only from the run loop. */
void board_service(struct vm *vm);
/* Acknowledges INTR: the vector the 8259 pair gives (SDM vol. 3A 6.3; 8259A datasheet INTA). */
uint8_t board_intr_ack(struct vm *vm);
/* The processor's FERR# pin: true is asserted. */
void board_ferr(struct vm *vm, bool asserted);
/* Host time of the next timer event, UINT64_MAX if none. */
uint64_t board_next_deadline(struct vm *vm);

/* -- I/O as the CPU sees it (vmm/bus.c) -- */

/* IN/OUT: size 1, 2, 4; open bus reads ones. */
uint32_t bus_pio_read(struct vm *vm, uint16_t port, unsigned size);
void bus_pio_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value);
/* Physical accesses outside RAM: any size up to 64 bytes, split as the device wants. */
void bus_mmio_read(struct vm *vm, gpa_t gpa, void *buf, unsigned size);
void bus_mmio_write(struct vm *vm, gpa_t gpa, const void *buf, unsigned size);

#endif
