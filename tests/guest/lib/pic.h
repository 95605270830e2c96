/* The two 8259A interrupt controllers. */
#ifndef GUEST_PIC_H
#define GUEST_PIC_H

#include <stdint.h>

enum { PIC1 = 0x20, PIC2 = 0xA0 };

/* Remaps IRQ 0..15 to VECTOR_IRQ..VECTOR_IRQ+15 and masks all of them. */
void pic_init(void);

/* Sets both mask registers: bit n masks IRQ n. */
void pic_mask(uint16_t mask);

/* Sets up both chips and lets IRQ 0 through alone, which rises once, when channel 0 of the PIT
 * (mode 0) has counted so much at 1.193182 MHz. */
void pic_timer_once(uint16_t count);

/* Non-specific end of interrupt for IRQ `irq`, on both chips when it came through the slave. */
void pic_eoi(uint8_t irq);

/* In-service register (OCW3 0x0B) or request register (OCW3 0x0A) of the chip at `port`. */
uint8_t pic_isr(uint16_t port);
uint8_t pic_irr(uint16_t port);

#endif
