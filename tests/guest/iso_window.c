/* The whole 4 GiB belong to the guest: data, stack and code at linear addresses all over the space,
 * the first and last pages included, in both rings; unmapped ones fault with the right address;
 * accesses that wrap at 4 GiB do no harm (SDM vol 3A, 3.3, 5.3). */
#include "guest.h"

CODE(touch, "movl (%esi), %eax; movl %eax, 4(%esi); incl 8(%esi); pushl %eax; popl %ebx");
CODE(read4, "movl (%esi), %eax");
CODE(write4, "movl %eax, (%esi)");
CODE(push, "pushl %eax; popl %ebx");
CODE(jump, "jmp *%esi");
CODE(string, "movl $8, %ecx; rep stosb");

static uint32_t *table_of(uint32_t gla) {
    uint32_t *pde = paging_pde(gla);
    if (!(*pde & PTE_P))
        *pde = paging_new_page() | PTE_ALL;
    return (uint32_t *)(*pde & ~0xFFFu) + (gla >> 12 & 1023);
}

void guest_main(void) {
    paging_init();
    uint32_t wrong = 0, n = 0;
    for (uint32_t i = 4; i < 64; i++) {
        uint32_t gla = i << 26 | (i * 37 % 1000) << 12, frame = ARENA_LARGE + i * 4096;
        for (int ring = 0; ring <= 3; ring += 3) {
            *table_of(gla) = 0;
            invlpg(gla);
            struct regs in = ring ? regs_ring3(touch) : regs_ring0(touch);
            in.esi = gla + 0x10;
            run(&in);
            wrong += trap.vector != 14 || trap.cr2 != in.esi || trap.error != (ring ? 4u : 0u);
            *table_of(gla) = frame | PTE_ALL;
            volatile uint32_t *p = (volatile uint32_t *)frame;
            p[4] = gla;
            p[5] = 0;
            p[6] = i;
            in.esp = gla + 0x1000;
            run(&in);
            wrong += trap.vector != VECTOR_END || trap.regs.eax != gla || trap.regs.ebx != gla ||
                     p[5] != gla || p[6] != i + 1;
            /* code there */
            p[8] = 0xF0CD43u; /* INC EBX; INT F0 */
            in.eip = gla + 0x20;
            in.esp = gla + 0x800;
            run(&in);
            wrong += trap.vector != VECTOR_END || trap.regs.eip != gla + 0x23 ||
                     trap.regs.ebx != in.ebx + 1;
            n++;
        }
    }
    printf("%u places, %u wrong\n", n, wrong);

    /* Page 0 and the last page. */
    uint32_t top = 0xFFFFF000;
    static const struct {
        const char *name;
        const uint8_t *code;
        uint32_t esi;
    } edges[] = {{"read 0", read4, 0},
                 {"write 0", write4, 0},
                 {"read FFFFFFFC", read4, 0xFFFFFFFC},
                 {"write FFFFFFFC", write4, 0xFFFFFFFC},
                 {"read FFFFF000", read4, 0xFFFFF000},
                 {"jump FFFFF000", jump, 0xFFFFF000},
                 {"jump 0", jump, 0}};
    for (int mapped = 0; mapped < 2; mapped++) {
        paging_set(0, mapped ? (ARENA | PTE_ALL) : 0);
        *table_of(top) = mapped ? (ARENA + 4096) | PTE_ALL : 0;
        invlpg(top);
        *(volatile uint32_t *)ARENA = 0xF0CD;
        *(volatile uint32_t *)(ARENA + 4096) = 0xF0CD;
        *(volatile uint32_t *)(ARENA + 8188) = 0x11223344;
        for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++) {
            struct regs in = regs_ring3(edges[i].code);
            in.esi = edges[i].esi;
            if (edges[i].code == jump)
                *(volatile uint32_t *)ARENA = *(volatile uint32_t *)(ARENA + 4096) = 0xF0CD;
            run(&in);
            if (edges[i].code == jump)
                in.eip = trap.regs.eip;
            report(edges[i].name, &in);
        }
    }

    /* Wrapping accesses: the manual lets a flat segment fault or wrap; nothing else may happen. */
    static const uint8_t *const wraps[] = {read4, write4, string};
    uint32_t bad = 0;
    for (int i = 0; i < 3; i++) {
        for (uint32_t back = 1; back < 4; back++) {
            *(volatile uint32_t *)ARENA = 0x0A0B0C0D;
            *(volatile uint32_t *)(ARENA + 8188) = 0x01020304;
            struct regs in = regs_ring3(wraps[i]);
            in.esi = in.edi = 0u - back;
            run(&in);
            bool wrapped = trap.vector == VECTOR_END;
            bool faulted = trap.vector == 13 && trap.error == 0;
            uint32_t expected = 0x01020304u >> 8 * (4 - back) | 0x0A0B0C0Du << 8 * back;
            bad += !wrapped && !faulted;
            if (wrapped && i == 0)
                bad += trap.regs.eax != expected;
            if (wrapped && i == 1)
                bad += *(volatile uint8_t *)ARENA != (uint8_t)(0x11111111u >> 8 * back);
            bad += *(volatile uint8_t *)(ARENA + 0x100) != 0;
        }
    }
    printf("wrap at 4 GiB: %u bad\n", bad);
    struct regs in = regs_ring3(push);
    in.esp = 0;
    run(&in);
    printf("push at ESP 0: %s\n",
           trap.vector == VECTOR_END && trap.regs.ebx == in.eax ? "end" : vector_name(trap.vector));
}
