/* A hostile guest: writes a pattern over all memory that it can reach, in rings 0 and 3, with and
 * without paging, through segments that wrap and page tables that name any physical address. It
 * spares what it runs on itself. Then it waits for a byte on COM1, so that the machine's memory
 * can be looked at from outside, and switches itself off. */
#include "guest.h"

enum {
    RAM_END = 64 << 20,
    TRIES = 3000, /* of each form, in each setting */
    CHUNK = 64,   /* bytes that a form writes */
    SEL_BASED = SEL_FREE,
    LSR_PORT = 0x3fd,
    LSR_READY = 1,
    CR4_SSE = CR4_OSFXSR | CR4_OSXMMEXCPT,
    TABLE = ARENA + 0x1000, /* for what is mapped above RAM_END */
    OWN_END = ARENA + 0x2000,
};

CODE(strings, "cld; movl $16, %ecx; rep movsl %ds:(%esi), %es:(%edi)");
CODE(stores, "movups (%esi), %xmm0; movups %xmm0, %gs:(%edi); movups %xmm0, %gs:16(%edi);"
             "movups %xmm0, %gs:32(%edi); movups %xmm0, %gs:48(%edi)");
CODE(pushes, "movl %esp, %ebp; leal 64(%edi), %esp; movl 12(%esi), %eax; movl 8(%esi), %ebx; movl "
             "4(%esi), %ecx;"
             "movl (%esi), %edx; .rept 4; pushl %eax; pushl %ebx; pushl %ecx; pushl %edx; .endr;"
             "movl %ebp, %esp");
/* QEMU's TCG leaves rubbish in all of EFLAGS, VM and NT among it, behind a CMPXCHG8B without a
 * branch in front of it (docs/ring0.md); natively run code then ends the machine. */
CODE(locked, "movl (%esi), %eax; lock xchgl %eax, %gs:(%edi); lock addl %eax, %gs:4(%edi);"
             "jecxz 1f; 1: lock cmpxchg8b %gs:8(%edi)");

static const void *const forms[] = {strings, stores, pushes, locked};
static uint32_t *const pattern = (uint32_t *)ARENA;
static uint32_t state = 1, done, faulted;

static uint32_t random(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

/* Whether a write there would end the guest itself, or show on the screen. */
static bool own(uint32_t gla) {
    return gla + 2 * CHUNK < OWN_END + 2 * CHUNK;
}

static void one(bool user, const void *form, uint32_t gla, uint32_t base) {
    struct regs in = user ? regs_ring3(form) : regs_ring0(form);
    uint16_t selector = SEL_BASED | (user ? 3 : 0);

    if (user)
        in.eflags |= FLAG_IF;
    gdt_set(SEL_BASED,
            descriptor(base, 0xfffff, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    in.esi = (uint32_t)pattern;
    in.edi = gla - base;
    in.es = in.gs = selector;
    if (form == (const void *)pushes)
        in.edi = gla; /* the stack's segment is flat */
    run(&in);
    if (trap.vector == VECTOR_END)
        done++;
    else
        faulted++;
}

static void everywhere(bool user, bool paging) {
    for (unsigned form = 0; form < sizeof forms / sizeof forms[0]; form++)
        for (unsigned n = 0; n < TRIES; n++) {
            uint32_t gla = random() & ~15u;
            uint32_t base = n % 3 ? random() & ~15u : 0;
            if (n % 4 == 1)
                gla |= 0xfffff000; /* the end of the linear space */
            if (n % 4 == 2)
                gla %= RAM_END;
            /* a fault of a push in ring 0 would have nowhere to go */
            if (own(gla) || (forms[form] == (const void *)pushes && paging && !user))
                continue;
            if (paging && gla >= RAM_END) {
                uint32_t physical = random() & ~0xfffu;
                if (own(physical) || own(physical + 0x1000))
                    continue;
                uint32_t *pde = paging_pde(gla);
                *pde = TABLE | PTE_ALL; /* one for all: its entries as they come */
                ((uint32_t *)TABLE)[gla >> 12 & 1023] = physical | PTE_ALL;
                invlpg(gla);
            }
            one(user, forms[form], gla, base);
        }
}

static void fill(void) {
    for (uint32_t gla = OWN_END; gla < RAM_END; gla += CHUNK)
        for (unsigned i = 0; i < CHUNK / 4; i++)
            ((uint32_t *)gla)[i] = pattern[i];
}

void guest_main(void) {
    /* not a constant in the image, which the VMM has a copy of */
    for (unsigned i = 0; i < CHUNK / 4; i++)
        pattern[i] = 0x6c2f7a01u + 0x11d3b5c7u * (i & 3);
    write_cr4(CR4_SSE);
    fill();
    everywhere(false, false);
    for (unsigned i = 0; i < 1024; i++)
        ((uint32_t *)TABLE)[i] = 0;
    paging_init();
    write_cr4(CR4_SSE);
    everywhere(false, true);
    everywhere(true, true);
    paging_off();
    fill();
    printf("scribbled: %u writes, %u faults\n", done, faulted);
    while (!(inb(LSR_PORT) & LSR_READY))
        ;
    printf("alive\n");
}
