/* Brings the machine to the state guest.h promises, runs the test, powers off. */
#include "guest.h"

void guest_start(void);

void guest_start(void) {
    write_cr0(CR0_PE | CR0_ET);
    write_cr4(0);
    serial_init();
    gdt_init();
    idt_init();
    pic_init();
    guest_main();
    power_off();
}

/* The compiler may call these even in freestanding code. */
void *memset(void *to, int byte, size_t count);
void *memcpy(void *to, const void *from, size_t count);

void *memset(void *to, int byte, size_t count) {
    uint8_t *p = to;
    while (count--)
        *p++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t count) {
    uint8_t *p = to;
    const uint8_t *q = from;
    while (count--)
        *p++ = *q++;
    return to;
}
