/*
 * A PC: which chip sits at which port and interrupt input. Intel 82371SB/82371AB data sheets for
 * the fixed ISA resources. The functions the run loop asks for are described in vmm/vm.h.
 */
#include "vmm/board_pc.h"

#include <stddef.h>

#include "bt/bt.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/sysport.h"
#include "devices/uart.h"
#include "host/host.h"
#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/irq.h"

#define SERIAL_PORTS 4u

struct board {
    struct vclock clock;
    struct pic pic;
    struct pit pit;
    struct rtc rtc;
    struct sysport sysport;
    struct uart uart[SERIAL_PORTS];
    struct irq_or serial_irq[2]; /* COM1 and COM3 on IRQ 4, COM2 and COM4 on IRQ 3 */
    uint8_t serial_mask;
    bool a20;
};

/* INTR of the vCPU. */
static void set_intr(void *chip, unsigned input, bool level) {
    struct vcpu *v = chip;
    (void)input;
    if (level && !v->intr_line) {
        v->intr_line = true;
        bt_kick(v, NULL);
    } else {
        v->intr_line = level;
    }
}

static bool create_serial(struct board *b, struct bus *bus) {
    static const uint16_t base[SERIAL_PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    bool ok = true;
    b->serial_irq[0].out = pic_input(&b->pic, 4);
    b->serial_irq[1].out = pic_input(&b->pic, 3);
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            ok = ok && uart_create(&b->uart[i], bus, &b->clock, base[i],
                                   irq_or_input(&b->serial_irq[i % 2], i / 2), i);
    return ok;
}

bool board_create(struct vm *vm, const struct board_config *config) {
    struct board *b = host_alloc(sizeof *b);
    if (!b || !bus_create(vm))
        return false;
    vm->board = b;
    b->serial_mask = config->serial_mask;
    clock_create(&b->clock);
    struct irq_line intr = {.set = set_intr, .chip = &vm->vcpu};
    bool ok = pic_create(&b->pic, vm->bus, intr) &&
              pit_create(&b->pit, vm->bus, &b->clock, &b->pic) &&
              rtc_create(&b->rtc, vm->bus, &b->clock, &b->pic, vm->mem.ram_size) &&
              sysport_create(&b->sysport, vm, &b->clock, &b->pit, &b->a20, config->debugcon) &&
              create_serial(b, vm->bus);
    if (!ok)
        host_panic("board: two devices claim one port");
    return true;
}

void board_reset(struct vm *vm) {
    struct board *b = vm->board;
    b->a20 = true;
    pic_reset(&b->pic);
    pit_reset(&b->pit);
    rtc_reset(&b->rtc);
    sysport_reset(&b->sysport);
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            uart_reset(&b->uart[i]);
}

void board_service(struct vm *vm) {
    struct board *b = vm->board;
    vm->kicked = false;
    host_poll();
    for (unsigned i = 0; i < SERIAL_PORTS; i++)
        if (b->serial_mask & 1u << i)
            uart_poll(&b->uart[i]);
    clock_run(&b->clock);
}

uint8_t board_intr_ack(struct vm *vm) {
    return pic_acknowledge(&vm->board->pic);
}

uint64_t board_next_deadline(struct vm *vm) {
    return clock_next_host_deadline(&vm->board->clock);
}
