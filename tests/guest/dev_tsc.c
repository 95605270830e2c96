/* TSC: it never goes back, it moves with the PIT (within wide bounds), CR4.TSD guards it in ring 3,
 * and it can be written (SDM vol 3B, 17.17). */
#include "guest.h"

CODE(read_tsc, "rdtsc; xorl %eax, %eax; xorl %edx, %edx");

enum { MSR_TSC = 0x10 };

/* TSC ticks while channel 2 counts `count`. */
static uint64_t measure(uint16_t count) {
    outb(0x61, 0);
    outb(0x43, 0xB0);
    outb(0x42, (uint8_t)count);
    outb(0x42, (uint8_t)(count >> 8));
    uint64_t begin = rdtsc();
    outb(0x61, 1);
    while (!(inb(0x61) & 0x20))
        ;
    return rdtsc() - begin;
}

void guest_main(void) {
    uint64_t last = rdtsc();
    uint32_t back = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t now = rdtsc();
        back += now < last;
        last = now;
    }
    printf("backward steps: %u\n", back);

    /* 40 ms of the PIT: at least 1 million ticks at any TSC rate above 25 MHz; and twice as long
     * takes longer. Hosts stop guests for a while, so nothing tighter is asked. */
    uint64_t brief = measure(6000), full = measure(48000);
    printf("40 ms: %s\n", full > 1000000 ? "enough" : "too few");
    printf("longer is longer: %s\n", full > brief ? "yes" : "no");

    RING0(read_tsc);
    RING3(read_tsc);
    write_cr4(CR4_TSD);
    RING0(read_tsc);
    RING3(read_tsc);
    write_cr4(0);
    RING3(read_tsc);

    uint64_t before = rdmsr(MSR_TSC), after = rdtsc();
    printf("MSR and RDTSC: %s\n", after >= before ? "in order" : "out of order");
    wrmsr(MSR_TSC, 0);
    printf("written: %s\n", rdtsc() < after ? "smaller" : "not smaller");
}
