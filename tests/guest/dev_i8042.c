/* Keyboard controller: self test, command byte, output port, looped-back bytes with IRQ 1 and 12
 * (8042 as in the IBM AT and PS/2 technical references). */
#include "guest.h"

static volatile uint32_t keyboard, mouse;
static volatile uint8_t key_byte, mouse_byte;

static void on_key(struct trap_frame *frame) {
    (void)frame;
    key_byte = inb(0x60);
    keyboard++;
    pic_eoi(1);
}

static void on_mouse(struct trap_frame *frame) {
    (void)frame;
    mouse_byte = inb(0x60);
    mouse++;
    pic_eoi(12);
}

static void idle(void) {
    while (inb(0x64) & 2)
        ;
}

static void command(uint8_t c) {
    idle();
    outb(0x64, c);
}

static void data(uint8_t d) {
    idle();
    outb(0x60, d);
}

static uint8_t answer(void) {
    while (!(inb(0x64) & 1))
        ;
    return inb(0x60);
}

static uint8_t ask(uint8_t c) {
    command(c);
    return answer();
}

static void window(void) {
    for (int i = 0; i < 100; i++)
        __asm__ volatile("sti; nop; nop; cli");
}

void guest_main(void) {
    trap_handlers[VECTOR_IRQ + 1] = on_key;
    trap_handlers[VECTOR_IRQ + 12] = on_mouse;
    command(0xAD);
    command(0xA7);
    while (inb(0x64) & 1)
        inb(0x60);
    printf("self test %02x\n", ask(0xAA));
    printf("keyboard interface %02x, mouse interface %02x\n", ask(0xAB), ask(0xA9));
    command(0x60);
    data(0x30);
    printf("command byte %02x\n", ask(0x20));
    command(0x60);
    data(0x03); /* both interrupts, both clocks on */
    printf("command byte %02x\n", ask(0x20));
    printf("output port, not reset, A20: %x\n", ask(0xD0) & 3);

    pic_mask(0xEFF9);
    command(0xD2);
    data(0x5A);
    window();
    printf("looped to the keyboard: %u byte %02x, mouse %u\n", keyboard, key_byte, mouse);
    command(0xD3);
    data(0xA5);
    window();
    printf("looped to the mouse: %u byte %02x, keyboard %u\n", mouse, mouse_byte, keyboard);
    pic_mask(0xFFFF);
    command(0x60);
    data(0x30);
    command(0xD2);
    data(0x11);
    while (!(inb(0x64) & 1))
        ;
    printf("status %02x\n", inb(0x64) & 0x23);
    printf("byte %02x\n", inb(0x60));
    command(0xD3);
    data(0x22);
    while (!(inb(0x64) & 1))
        ;
    printf("status %02x\n", inb(0x64) & 0x23);
    printf("byte %02x\n", inb(0x60));
}
