/*
 * The machine's serial ports. COM1 carries the guest's (host_chr_* channel 0) both ways; the VMM's
 * own messages go to COM1, too, or to COM2.
 */
#ifndef HOST_RING0_SERIAL_H
#define HOST_RING0_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERIAL_COM1, SERIAL_COM2, SERIAL_PORTS };
/* Channel of the debug console: the machine's port E9h. */
enum { CHANNEL_DEBUGCON = 1 };
enum { SERIAL_IRQ = 4 /* COM1's */ };

/* Sets both up for 115200 baud. */
void serial_init(void);
/* Ring 0: from now on COM2's input interrupts. */
void serial_listen_com2(void);

/* Ring 0: moves what came in and what is to go out, as far as both go without waiting. */
void serial_pump(void);
/* COM1's interrupt. True: there is input for the guest. */
bool serial_interrupt(void);
/* Ring 0: takes a byte that has come in at port n, past the guest's. False: there is none. */
bool serial_take(unsigned n, uint8_t *byte);
/* True once after input has come in. */
bool serial_news(void);

/* Ring 0: writes to port n and waits until they are out, after what the guest has written to its
 * own, so that messages stand where they belong. A port that takes nothing is given up. */
void serial_write(unsigned n, const char *text, size_t length);

/* Ring 0: waits until all that was written has left the UARTs: a machine that is switched off loses
 * it. */
void serial_drain(void);

#endif
