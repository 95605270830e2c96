/* What a guest test includes: the whole runtime. A test defines guest_main() and prints what it
 * sees with printf() or report(); the runner compares that with NAME.expected. */
#ifndef GUEST_H
#define GUEST_H

#include "cpu.h"
#include "gdt.h"
#include "idt.h"
#include "io.h"
#include "layout.h"
#include "paging.h"
#include "pic.h"
#include "power.h"
#include "run.h"
#include "serial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The test itself. Entered in ring 0, flat segments, paging off, interrupts off, all IRQs masked.
 */
void guest_main(void);

/* EAX and EBX as the boot loader left them. */
extern uint32_t boot_magic, boot_info;

#endif
