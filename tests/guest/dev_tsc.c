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

/* Hosts stop guests for a while, which only makes it more: the least of some tries. */
static uint64_t measure_least(uint16_t count, int tries) {
    uint64_t least = measure(count);
    while (--tries) {
        uint64_t again = measure(count);
        least = again < least ? again : least;
    }
    return least;
}

/* Does the TSC begin again when 0 is written? A stop in between, longer than all the time before,
 * would hide it: any of some tries counts. */
static int begins_again(void) {
    for (int tries = 0; tries < 10; tries++) {
        uint64_t before = rdtsc();
        wrmsr(MSR_TSC, 0);
        if (rdtsc() < before)
            return 1;
    }
    return 0;
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

    /* 40 ms of the PIT: at least 1 million ticks at any TSC rate above 25 MHz; and more than twice
     * what half a millisecond takes, which is less than a host's time slice. */
    uint64_t brief = measure_least(600, 20), full = measure_least(48000, 3);
    printf("40 ms: %s\n", full > 1000000 ? "enough" : "too few");
    printf("longer is longer: %s\n", full > 2 * brief ? "yes" : "no");

    RING0(read_tsc);
    RING3(read_tsc);
    write_cr4(CR4_TSD);
    RING0(read_tsc);
    RING3(read_tsc);
    write_cr4(0);
    RING3(read_tsc);

    uint64_t before = rdmsr(MSR_TSC), after = rdtsc();
    printf("MSR and RDTSC: %s\n", after >= before ? "in order" : "out of order");
    printf("written: %s\n", begins_again() ? "smaller" : "not smaller");
}
