/* SYSENTER and SYSEXIT: registers loaded, flags, ring and selector checks, fixed flat segments
 * whatever the descriptors say (SDM vol 2B). */
#include "guest.h"

enum { MSR_CS = 0x174, MSR_ESP = 0x175, MSR_EIP = 0x176 };

CODE(enter_kernel, "sysenter");
CODE(entered, "movl %cs, %eax; movl %ss, %ebx; pushfl; popl %ecx; movl %ds, %edx");
CODE(leave_kernel, "sysexit");
CODE(left, "movl %cs, %eax; movl %ss, %ebx; pushfl; popl %esi");
CODE(round_trip, "movl %esp, %ebp; call 1f; 1: popl %edi; addl $(2f - 1b), %edi; sysenter; 2: nop");
CODE(returner, "movl %edi, %edx; movl %ebp, %ecx; sysexit");

static void msrs(uint32_t cs, uint32_t esp, const void *eip) {
    wrmsr(MSR_CS, cs);
    wrmsr(MSR_ESP, esp);
    wrmsr(MSR_EIP, (uint32_t)eip);
}

static void show(const char *name, struct regs in) {
    run(&in);
    if (trap.vector == VECTOR_END)
        in.eip = trap.regs.eip;
    if (trap.regs.esp == STACK_TRAP - 64)
        printf("on ESP_MSR ");
    in.esp = trap.regs.esp;
    report(name, &in);
}

void guest_main(void) {
    printf("CPUID SEP %d\n", cpuid(1).edx >> 11 & 1);
    msrs(SEL_CODE0, STACK_TRAP - 64, entered);
    printf("MSRs %x %x %s\n", (uint32_t)rdmsr(MSR_CS), (uint32_t)rdmsr(MSR_ESP),
           (uint32_t)rdmsr(MSR_EIP) == (uint32_t)entered ? "right" : "wrong");
    struct regs in = regs_ring3(enter_kernel);
    show("SYSENTER from ring 3", in);
    in.eflags |= FLAG_IF | FLAG_DF | FLAG_CF | FLAG_AC;
    show("SYSENTER, flags", in);
    show("SYSENTER from ring 0", regs_ring0(enter_kernel));
    msrs(SEL_CODE0 | 3, STACK_TRAP - 64, entered);
    show("RPL of the MSR is dropped", regs_ring3(enter_kernel));
    msrs(0, STACK_TRAP - 64, entered);
    show("CS MSR null", regs_ring3(enter_kernel));
    msrs(3, STACK_TRAP - 64, entered);
    show("CS MSR null, RPL 3", regs_ring3(enter_kernel));

    msrs(SEL_CODE0, STACK_TRAP - 64, entered);
    in = regs_ring0(leave_kernel);
    in.edx = (uint32_t)left;
    in.ecx = STACK_RING3 - 128;
    run(&in);
    printf("SYSEXIT: %s cs %04x ss %04x esp%d flags ", vector_name(trap.vector), trap.regs.cs,
           trap.regs.ss, (int)(trap.regs.esp - STACK_RING3));
    print_flags(trap.regs.esi);
    printf(" eax %x ebx %x\n", trap.regs.eax, trap.regs.ebx);
    show("SYSEXIT in ring 3", regs_ring3(leave_kernel));
    msrs(0, 0, 0);
    show("SYSEXIT, CS MSR null", regs_ring0(leave_kernel));

    /* A system call and back, many times, with interrupts as the kernel would leave them. */
    msrs(SEL_CODE0, STACK_TRAP, returner);
    uint32_t good = 0;
    for (int i = 0; i < 100; i++) {
        in = regs_ring3(round_trip);
        run(&in);
        good += trap.vector == VECTOR_END && trap.regs.cs == SEL_CODE3 &&
                trap.regs.ss == SEL_DATA3 && trap.regs.esp == in.esp;
    }
    printf("round trips: %u good\n", good);

    msrs(SEL_CODE0, STACK_TRAP, returner);
    /* The segments are flat even when the table says otherwise. */
    uint64_t saved = gdt[SEL_DATA3 >> 3];
    gdt_set(SEL_DATA3, descriptor(0x1000, 0xFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA, 0));
    in = regs_ring0(leave_kernel);
    in.edx = (uint32_t)left;
    in.ecx = STACK_RING3;
    run(&in);
    printf("SYSEXIT, SS descriptor not flat: %s ss %04x\n", vector_name(trap.vector), trap.regs.ss);
    gdt_set(SEL_DATA3, saved);
}
