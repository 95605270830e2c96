/*
 * The VGA text screen, 80 by 25, for the VMM's own messages.
 */
#ifndef HOST_RING0_VGA_H
#define HOST_RING0_VGA_H

#include <stddef.h>

void vga_init(void);
void vga_write(const char *text, size_t n);
/* From now on white on red. */
void vga_alarm(void);

#endif
