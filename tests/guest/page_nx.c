/* Execute disable: EFER.NXE, bit 63 in PDE and PTE, error code bit 4, data access not affected, and
 * bit 63 reserved while NXE is clear (SDM vol 3A, 4.4, 4.6, 4.7). */
#include "guest.h"

CODE(jump, "jmp *%esi");
CODE(read1, "movb (%esi), %al");
CODE(write1, "movb %al, (%esi)");

enum { PAGE = ARENA, NEXT = ARENA + 4096, MSR_EFER = 0xC0000080, EFER_NXE = 0x800 };

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t esi) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = esi;
    in.eax = 0xCD;
    run(&in);
    if (code == jump)
        in.eip = esi & ~0xFFFu; /* report() then gives EIP relative to the page */
    printf("ring%d ", ring);
    report(name, &in);
}

static void all(const char *what) {
    printf("%s\n", what);
    for (int ring = 0; ring <= 3; ring += 3) {
        attempt("jump", jump, ring, PAGE);
        attempt("read", read1, ring, PAGE);
        attempt("write", write1, ring, PAGE);
    }
}

void guest_main(void) {
    printf("CPUID NX %d\n", cpuid(0x80000001).edx >> 20 & 1);
    for (int i = 0; i < 4096; i++)
        ((volatile uint8_t *)PAGE)[i] = 0x90;
    *(volatile uint8_t *)PAGE = 0xCD;
    *(volatile uint8_t *)(PAGE + 1) = VECTOR_END;
    *(volatile uint8_t *)NEXT = 0xCD;
    *(volatile uint8_t *)(NEXT + 1) = VECTOR_END;
    paging_init_pae();
    all("NXE clear, bit clear");
    paging_pae_set(PAGE, PAGE | PTE_ALL | PTE_NX);
    all("NXE clear, bit set (reserved)");
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    printf("EFER %x\n", (uint32_t)rdmsr(MSR_EFER));
    paging_flush();
    all("NXE set, PTE bit set");
    paging_pae_set(PAGE, PAGE | PTE_ALL);
    all("NXE set, bit clear");

    /* Running off the end of an executable page: the fetch faults at the next page's first byte. */
    paging_pae_set(NEXT, NEXT | PTE_ALL | PTE_NX);
    attempt("into the next page", jump, 3, PAGE + 4090);
    /* An instruction that begins in one page and ends in the next: EIP is its start, CR2 the page.
     */
    *(volatile uint8_t *)(PAGE + 4094) = 0xB8; /* MOV EAX, imm32 */
    attempt("across the boundary", jump, 3, PAGE + 4094);
    attempt("across the boundary", jump, 0, PAGE + 4094);
    *(volatile uint8_t *)(PAGE + 4094) = 0x90;
    paging_pae_set(NEXT, NEXT | PTE_ALL);
    attempt("into the next page, executable", jump, 3, PAGE + 4090);

    paging_pae_set(PAGE, PAGE | PTE_P | PTE_W | PTE_NX);
    all("supervisor page, NX");
    paging_pae_set(PAGE, 0);
    all("absent page");
    paging_pae_set(PAGE, PAGE | PTE_ALL);

    /* The directory's bit covers 2 MiB: use a spare mapping of the arena, the code must stay. */
    uint64_t *directory = (uint64_t *)(PAGE_TABLES + 2 * 4096);
    directory[0] = (uint32_t)paging_pae_pte(PAGE) | PTE_ALL | PTE_NX;
    directory[1] = (PAGE & ~0x1FFFFFu) | PTE_PS | PTE_ALL | PTE_NX;
    directory[2] = (PAGE & ~0x1FFFFFu) | PTE_PS | PTE_ALL;
    paging_flush();
    attempt("directory NX", jump, 3, 0x40000000);
    attempt("directory NX, read", read1, 3, 0x40000000);
    attempt("2 MiB NX", jump, 3, 0x40200000);
    attempt("2 MiB NX, write", write1, 3, 0x40200000);
    attempt("2 MiB executable", jump, 3, 0x40400000);
}
