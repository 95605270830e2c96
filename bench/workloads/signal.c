/* A process sends itself a signal and catches it: delivery, handler, return. */
#include "lib/rt.h"

enum { SIGUSR1 = 10, SA_RESTORER = 0x04000000, SIGNAL_SET_BYTES = 8 };

/* struct kernel_sigaction of i386. */
struct action {
    void (*handler)(int);
    uint32_t flags;
    void (*restorer)(void);
    uint32_t mask[2];
};

static volatile uint32_t caught;

static void catch (int number) {
    caught += (uint32_t)number;
}

/* The kernel puts the address of sigreturn's stub on the stack as the handler's return address. */
void signal_return(void);
__asm__(".text\nsignal_return: popl %eax\nmovl $119, %eax\nint $0x80\n");

/* Count: thousands of signals. */
uint32_t workload(uint32_t count) {
    const struct action action = {catch, SA_RESTORER, signal_return, {0, 0}};
    const uint32_t argument[6] = {SIGUSR1, (uint32_t)&action, 0, SIGNAL_SET_BYTES, 0, 0};
    if (sys6(SYS_RT_SIGACTION, argument) != 0)
        rt_die("sigaction");
    uint32_t me = (uint32_t)sys3(SYS_GETPID, 0, 0, 0);
    for (uint32_t i = 0; i < count * 1000; i++)
        sys3_or_die("kill", SYS_KILL, me, SIGUSR1, 0);
    return caught;
}
