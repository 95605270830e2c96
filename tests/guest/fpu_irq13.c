/* x87 errors with CR0.NE clear, as on a PC: FERR# requests IRQ 13, the waiting instruction is
 * frozen until an interrupt comes, port F0h ends the request and asserts IGNNE# until the error is
 * cleared (SDM vol 1, 8.7.2 and appendix D, D.2.1; Intel 82371AB data sheet, coprocessor error). */
#include "guest.h"

/* Divides by zero with that exception unmasked: the error waits. */
#define ERROR   "fninit; pushl $0x037b; fldcw (%esp); fld1; fldz; fdivr %st(1), %st; nop; "
#define CLEARED "fnclex; "

CODE(by_fwait, ERROR "fwait; fnstsw %ax");
CODE(by_fld, ERROR "fld1; fnstsw %ax");
CODE(by_emms, ERROR "emms; fnstsw %ax");
CODE(by_store, ERROR "movl $0, (%esi); fstps (%esi); movl (%esi), %edx; fnstsw %ax");
CODE(no_wait, ERROR "fnstsw %ax; fnstcw (%esi); fnclex; fwait; movl %eax, %edx; fnstsw %ax");
CODE(masked, "fninit; fld1; fldz; fdivr %st(1), %st; fwait; fnstsw %ax");
CODE(twice,
     ERROR "fwait; incl %ebx; fld1; fldz; fdivr %st(1), %st; nop; fwait; incl %ebx; fnstsw %ax");
CODE(in_loop, "fninit; pushl $0x037b; fldcw (%esp); movl $20, %ecx; "
              "1: fld1; fldz; fdivr %st(1), %st; fwait; fstp %st(0); fstp %st(0); decl %ecx; jnz "
              "1b; fnstsw %ax");
CODE(frozen, ERROR "movl $8, %ecx; 1: fwait; incl %ebx");
CODE(after_sti, ERROR "pushfl; cli; movl $0, %ebx; popl %edx; sti; fwait; fnstsw %ax");
/* What a handler does that leaves the error and lets IGNNE# cover it. */
CODE(ignored, ERROR "fwait; fld1; fadd %st(0), %st(0); fistpl (%esi); movl (%esi), %edx; "
                    "fwait; fnstsw %ax; movl %eax, %ebx; fnclex; fnstsw %ax");
CODE(ignored_env, ERROR "fwait; fnstenv (%esi); movzwl 4(%esi), %eax; fldenv (%esi); "
                        "movl %eax, %edx; fnstsw %ax; fnclex");
CODE(ignored_again, ERROR "fwait; fnclex; fld1; fldz; fdivr %st(1), %st; nop; incl %ebx; fwait; "
                          "incl %ebx; fnstsw %ax");
CODE(ignored_load, ERROR "fwait; fnstenv (%esi); movl $0x037f, (%esi); movl $0, 4(%esi); "
                         "fldenv (%esi); fnstsw %ax; movl $0x037b, (%esi); fldcw (%esi); fwait");
CODE(ignored_fault, ERROR "fwait; movl $1, %ecx; flds (%edi); fnstsw %ax");

static struct { uint32_t count, eip; } seen;
static bool write_f0, clear, mask_after;

static void on_error(struct trap_frame *frame) {
    seen.count++;
    seen.eip = frame->eip;
    if (write_f0)
        outb(0xF0, 0);
    if (clear)
        __asm__ volatile("fnclex");
    if (mask_after)
        pic_mask(0xFFFF);
    pic_eoi(13);
}

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = ARENA;
    in.eflags |= FLAG_IF;
    seen.count = 0;
    pic_mask(0xDFFB);
    run(&in);
    pic_mask(0xFFFF);
    printf("ring%d irq13 %u at +%d, then ", ring, seen.count,
           seen.count ? (int)(seen.eip - in.eip) : 0);
    report(name, &in);
    __asm__ volatile("fninit");
    outb(0xF0, 0);
}

#define BOTH(code)                                                                                 \
    do {                                                                                           \
        attempt(#code, code, 0);                                                                   \
        attempt(#code, code, 3);                                                                   \
    } while (0)

/* IRQ 13 masked: other interrupts come and return to the frozen instruction, which never ends;
 * until the tenth clears the error. A slow machine may have another tick before it goes on. */
static void on_tick(struct trap_frame *frame) {
    seen.count += frame->eip == seen.eip && seen.count < 10;
    if (seen.count == 10)
        __asm__ volatile("fnclex");
    pic_eoi(0);
}

static void freeze(void) {
    struct regs in = regs_ring0(frozen);
    in.eflags |= FLAG_IF;
    enum { FWAIT_AT = 22 };
    seen.count = 0;
    seen.eip = in.eip + FWAIT_AT;
    trap_handlers[VECTOR_IRQ] = on_tick;
    outb(0x43, 0x34);
    outb(0x40, 0);
    outb(0x40, 4);
    pic_mask(0xFFFE);
    run(&in);
    pic_mask(0xFFFF);
    printf("frozen for %u ticks, irq13 requested %u, then ", seen.count, pic_irr(PIC2) >> 5 & 1);
    report("frozen", &in);
    outb(0xF0, 0);
    printf("after F0h: requested %u\n", pic_irr(PIC2) >> 5 & 1);
}

void guest_main(void) {
    write_cr0(CR0_PE | CR0_ET | CR0_MP);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
    trap_handlers[VECTOR_IRQ + 13] = on_error;
    write_f0 = clear = true;
    BOTH(by_fwait);
    BOTH(by_fld);
    BOTH(by_emms);
    BOTH(by_store);
    BOTH(no_wait);
    BOTH(masked);
    BOTH(twice);
    BOTH(in_loop);
    BOTH(after_sti);
    printf("ignored\n");
    clear = false;
    BOTH(by_fwait);
    BOTH(by_store);
    BOTH(ignored);
    BOTH(ignored_env);
    BOTH(ignored_again);
    BOTH(ignored_load);
    paging_init();
    BOTH(ignored_fault);
    freeze();
    /* NE set: #MF and nothing on the pins. */
    write_cr0(read_cr0() | CR0_NE);
    BOTH(by_fwait);
    printf("requested %u\n", pic_irr(PIC2) >> 5 & 1);
}
