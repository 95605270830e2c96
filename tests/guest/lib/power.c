/* Soft-off (PIIX4 data sheet, PMCNTRL at PMBASE + 4). */
#include "power.h"
#include "io.h"
#include "serial.h"

/* Where SeaBIOS and the BIOS of Bochs put it. */
enum { PM_BASE = 0x600, PM_BASE_BOCHS = 0xB000, PM1A_CNT = 4, SLP_EN = 1 << 13 };

void power_off(void) {
    serial_flush();
    outw(PM_BASE + PM1A_CNT, SLP_EN);
    outw(PM_BASE_BOCHS + PM1A_CNT, SLP_EN);
    for (;;)
        __asm__ volatile("cli; hlt");
}
