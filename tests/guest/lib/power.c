/* Soft-off (PIIX4 data sheet, PMCNTRL at PMBASE + 4). */
#include "power.h"
#include "io.h"

enum { PM_BASE = 0x600, PM1A_CNT = 4, SLP_EN = 1 << 13 };

void power_off(void) {
    outw(PM_BASE + PM1A_CNT, SLP_EN);
    for (;;)
        __asm__ volatile("cli; hlt");
}
