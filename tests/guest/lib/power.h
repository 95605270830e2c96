/* Ends the test. */
#ifndef GUEST_POWER_H
#define GUEST_POWER_H

/* Soft-off through the PIIX4's PM1a control register: SLP_EN, SLP_TYP 0 (ACPI 4.8.3.2). */
__attribute__((noreturn)) void power_off(void);

#endif
