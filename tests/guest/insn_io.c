/* INS and OUTS in every width, repeated and not, in both directions, against IN and OUT through the
 * PCI address register (SDM vol. 2A, INS; vol. 2B, OUTS); PREFETCH and UD0, which nothing else
 * runs. */
#include "guest.h"

enum { ADDRESS = 0xCF8 };

CODE(ud0, "nop; .byte 0x0f, 0xff, 0x00");

static uint32_t cells[4];

static void fill(void) {
    for (unsigned i = 0; i < 4; i++)
        cells[i] = 0x80000000u | (0x00020304u * (i + 1) & ~3u);
}

static void show(const char *what, const void *p) {
    printf("%s: %d, %08x %08x %08x %08x\n", what, (int)((const char *)p - (const char *)cells),
           cells[0], cells[1], cells[2], cells[3]);
}

void guest_main(void) {
    const void *si = cells;
    void *di = cells;
    uint32_t n = 3;

    fill();
    __asm__ volatile("cld; outsl" : "+S"(si) : "d"(ADDRESS) : "memory");
    show("outsl", si);
    printf("  register %08x\n", inl(ADDRESS));
    __asm__ volatile("cld; rep outsl" : "+S"(si), "+c"(n) : "d"(ADDRESS) : "memory");
    show("rep outsl", si);
    printf("  register %08x, ecx %u\n", inl(ADDRESS), n);

    outl(ADDRESS, 0x80001234);
    __asm__ volatile("cld; insl" : "+D"(di) : "d"(ADDRESS) : "memory");
    show("insl", di);
    di = &cells[3];
    n = 2;
    __asm__ volatile("std; rep insl; cld" : "+D"(di), "+c"(n) : "d"(ADDRESS) : "memory");
    show("rep insl down", di);

    fill();
    di = cells;
    __asm__ volatile("cld; insw" : "+D"(di) : "d"(0x1A8) : "memory");
    show("insw", di);
    n = 3;
    __asm__ volatile("cld; rep insw" : "+D"(di), "+c"(n) : "d"(0x1A8) : "memory");
    show("rep insw", di);
    n = 3;
    __asm__ volatile("cld; rep insb" : "+D"(di), "+c"(n) : "d"(0x1A8) : "memory");
    show("rep insb", di);

    __asm__ volatile(".byte 0x0f, 0x0d, 0x00" : : "a"(cells)); /* prefetch [eax] */
    __asm__ volatile(".byte 0x0f, 0x0d, 0x08" : : "a"(0));     /* prefetchw of any address */
    printf("prefetch done\n");

    try_ring0("ud0", ud0);
}
