/* Execute disable for user code as a system gives it to the processor: PAE, EFER.NXE, interrupts
 * on, SSE enabled, so that a monitor may run it natively. Each change of an entry's NX counts from
 * the INVLPG or CR3 load on, both ways; data accesses do not mind; the fault's error code tells a
 * fetch from a read (SDM vol 3A, 4.4, 4.6, 4.7, 4.10.4). */
#include "guest.h"

CODE(jump, "jmp *%esi");
CODE(read1, "movzbl (%esi), %eax");
CODE(write1, "movb %al, 1024(%esi)");
CODE(read_then_jump, "movzbl (%esi), %eax; jmp *%esi");
CODE(write_then_jump, "movb %al, 1024(%esi); jmp *%esi");

enum {
    PAGE = ARENA,
    NEXT = ARENA + 4096,
    FAR = 0x40000000, /* a second view of the arena, by directory entries of its own */
    MSR_EFER = 0xC0000080,
    EFER_NXE = 0x800,
    CR4_FXSR_XMM = 0x600
};

static void attempt(const char *name, const uint8_t *code, uint32_t esi) {
    struct regs in = regs_ring3(code);
    in.eflags |= FLAG_IF;
    in.esi = esi;
    in.eax = 0xC3;
    run(&in);
    if (trap.regs.eip - esi <= 8192)
        in.eip = esi; /* report() then gives EIP relative to the page */
    report(name, &in);
}

static void all(const char *what, uint32_t esi) {
    printf("%s\n", what);
    attempt("jump", jump, esi);
    attempt("read", read1, esi);
    attempt("write", write1, esi);
    attempt("read, jump", read_then_jump, esi);
    attempt("write, jump", write_then_jump, esi);
}

static void fill_code(uint32_t at) {
    for (uint32_t i = 0; i < 4096; i++)
        ((volatile uint8_t *)at)[i] = 0x90;
    *(volatile uint16_t *)at = 0xCD | VECTOR_END << 8;
}

void guest_main(void) {
    fill_code(PAGE);
    fill_code(NEXT);
    paging_init_pae();
    write_cr4(read_cr4() | CR4_FXSR_XMM);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    report_flags = 0;

    all("executable", PAGE);
    paging_pae_set(PAGE, PAGE | PTE_ALL | PTE_NX);
    all("NX after INVLPG", PAGE);
    printf("A and D %x\n", (uint32_t)*paging_pae_pte(PAGE) & (PTE_A | PTE_D));
    paging_pae_set(PAGE, PAGE | PTE_ALL);
    all("executable after INVLPG", PAGE);
    *paging_pae_pte(PAGE) |= PTE_NX;
    paging_flush();
    all("NX after a CR3 load", PAGE);
    *paging_pae_pte(PAGE) &= ~PTE_NX;
    paging_flush();
    all("executable after a CR3 load", PAGE);

    /* Not accessed yet: a refused fetch sets nothing. */
    paging_pae_set(PAGE, PAGE | PTE_ALL | PTE_NX);
    attempt("jump", jump, PAGE);
    printf("A and D %x\n", (uint32_t)*paging_pae_pte(PAGE) & (PTE_A | PTE_D));
    paging_pae_set(PAGE, PAGE | PTE_ALL);
    attempt("jump", jump, PAGE);
    printf("A and D %x\n", (uint32_t)*paging_pae_pte(PAGE) & (PTE_A | PTE_D));

    paging_pae_set(PAGE, PAGE | PTE_P | PTE_U);
    all("read-only", PAGE);
    paging_pae_set(PAGE, PAGE | PTE_P | PTE_U | PTE_NX);
    all("read-only, NX", PAGE);
    paging_pae_set(PAGE, PAGE | PTE_P | PTE_W);
    all("supervisor", PAGE);
    paging_pae_set(PAGE, PAGE | PTE_P | PTE_W | PTE_NX);
    all("supervisor, NX", PAGE);
    paging_pae_set(PAGE, 0);
    all("absent", PAGE);
    paging_pae_set(PAGE, PAGE | PTE_ALL);

    /* Into the next page: at its first byte, and in the middle of an instruction. */
    paging_pae_set(NEXT, NEXT | PTE_ALL | PTE_NX);
    attempt("into an NX page", jump, PAGE + 4090);
    *(volatile uint8_t *)(PAGE + 4094) = 0xB8; /* MOV EAX, imm32 */
    attempt("across into an NX page", jump, PAGE + 4094);
    *(volatile uint8_t *)(PAGE + 4094) = 0x90;
    paging_pae_set(NEXT, NEXT | PTE_ALL);
    attempt("into an executable page", jump, PAGE + 4090);

    /* Runs of pages with and without NX. */
    for (uint32_t i = 0; i < 8; i++) {
        fill_code(PAGE + i * 4096);
        paging_pae_set(PAGE + i * 4096, (PAGE + i * 4096) | PTE_ALL | (i & 1 ? PTE_NX : 0));
    }
    for (uint32_t i = 0; i < 8; i++)
        attempt(i & 1 ? "NX neighbour" : "executable neighbour", write_then_jump, PAGE + i * 4096);

    /* The directory's bit covers 2 MiB, with a table and as a large page. */
    uint64_t *directory = (uint64_t *)(PAGE_TABLES + 2 * 4096);
    uint64_t table = (uint32_t)paging_pae_pte(PAGE & ~0x1FFFFFu) | PTE_ALL;
    uint64_t large = (PAGE & ~0x1FFFFFu) | PTE_PS | PTE_ALL;
    uint32_t view = FAR + (PAGE & 0x1FFFFF);
    static const struct {
        const char *name;
        uint8_t large, nx;
    } steps[] = {{"table", 0, 0}, {"table, NX", 0, 1}, {"table", 0, 0},
                 {"2 MiB", 1, 0}, {"2 MiB, NX", 1, 1}, {"2 MiB", 1, 0}};
    for (uint32_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        directory[0] = (steps[i].large ? large : table) | (steps[i].nx ? PTE_NX : 0);
        paging_flush();
        all(steps[i].name, view);
    }

    /* The kernel writes what runs next, through a mapping of its own that says NX. */
    paging_pae_set(PAGE, PAGE | PTE_ALL);
    directory[0] = table | PTE_NX;
    paging_flush();
    for (uint32_t i = 0; i < 3; i++) {
        volatile uint8_t *code = (volatile uint8_t *)(view);
        code[0] = 0xB0; /* MOV AL, i */
        code[1] = (uint8_t)i;
        code[2] = 0xCD;
        code[3] = VECTOR_END;
        attempt("new code", jump, PAGE);
    }

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_NXE);
    paging_pae_set(PAGE, PAGE | PTE_ALL | PTE_NX);
    printf("NXE clear: ");
    attempt("jump", jump, PAGE);
    paging_pae_set(PAGE, PAGE | PTE_ALL);
    attempt("jump", jump, PAGE);
}
