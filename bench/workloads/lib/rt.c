/* rt.h: program start (System V i386 ABI, "Process Initialization"), system calls, the few
 * functions the compiler may call. */
#include "rt.h"

int rt_argc;
char **rt_argv;
const void *rt_vsyscall;

enum { AT_SYSINFO = 32 };

__asm__(".text\n"
        ".globl _start\n"
        "_start: xorl %ebp, %ebp\n"
        "movl %esp, %eax\n"
        "andl $-16, %esp\n"
        "subl $12, %esp\n"
        "pushl %eax\n"
        "call rt_start\n");

/* rt_enter is the kernel's vDSO entry, which keeps every register but EAX, or INT 80h. */
extern const uint8_t int80[];
const void *rt_enter = int80;
__asm__(".text\n"
        ".globl int80\n"
        "int80: int $0x80\n"
        "ret\n");

/* Number, then six arguments. */
int32_t rt_system_call(uint32_t number, const uint32_t *argument);
__asm__(".text\n"
        "rt_system_call: pushl %ebp\n"
        "pushl %edi\n"
        "pushl %esi\n"
        "pushl %ebx\n"
        "movl 20(%esp), %eax\n"
        "movl 24(%esp), %ebp\n"
        "movl 0(%ebp), %ebx\n"
        "movl 4(%ebp), %ecx\n"
        "movl 8(%ebp), %edx\n"
        "movl 12(%ebp), %esi\n"
        "movl 16(%ebp), %edi\n"
        "movl 20(%ebp), %ebp\n"
        "call *rt_enter\n"
        "popl %ebx\n"
        "popl %esi\n"
        "popl %edi\n"
        "popl %ebp\n"
        "ret\n");

int32_t sys6(uint32_t number, const uint32_t argument[6]) {
    return rt_system_call(number, argument);
}

int32_t sys3(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
    int32_t result;
    __asm__ volatile("call *%5"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "m"(rt_enter)
                     : "memory");
    return result;
}

static uint32_t length(const char *text) {
    uint32_t n = 0;
    while (text[n] != 0)
        n++;
    return n;
}

static void say(uint32_t file, const char *text) {
    sys3(SYS_WRITE, file, (uint32_t)text, length(text));
}

void rt_exit(uint32_t status) {
    for (;;)
        sys3(SYS_EXIT, status, 0, 0);
}

void rt_die(const char *what) {
    say(2, rt_argv[0]);
    say(2, ": ");
    say(2, what);
    say(2, "\n");
    rt_exit(1);
}

uint32_t sys3_or_die(const char *what, uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
    enum { MAX_ERRNO = 4095 };
    int32_t result = sys3(number, a, b, c);
    if (result < 0 && result >= -MAX_ERRNO)
        rt_die(what);
    return (uint32_t)result;
}

void *rt_map(uint32_t bytes) {
    const uint32_t argument[6] = {
        0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint32_t)-1, 0};
    uint32_t address = (uint32_t)sys6(SYS_MMAP2, argument);
    if (address > (uint32_t)-PAGE_SIZE)
        rt_die("no memory");
    return (void *)address;
}

void rt_wait_child(void) {
    uint32_t status = 0;
    sys3_or_die("wait", SYS_WAITPID, (uint32_t)-1, (uint32_t)&status, 0);
    if (status != 0)
        rt_die("a child failed");
}

static uint32_t parse(const char *text) {
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    return value;
}

static void print_checksum(uint32_t sum) {
    char line[] = "checksum 00000000\n";
    for (uint32_t i = 0; i < 8; i++)
        line[16 - i] = "0123456789abcdef"[sum >> 4 * i & 15];
    say(1, line);
}

void rt_start(const uint32_t *stack);
void rt_start(const uint32_t *stack) {
    rt_argc = (int)stack[0];
    rt_argv = (char **)(stack + 1);
    const uint32_t *p = stack + 1 + rt_argc + 1;
    while (*p != 0) /* the environment */
        p++;
    for (p++; *p != 0; p += 2)
        if (*p == AT_SYSINFO)
            rt_enter = rt_vsyscall = (const void *)p[1];
    if (rt_argc < 2)
        rt_die("usage: PROGRAM COUNT");
    print_checksum(workload(parse(rt_argv[1])));
    rt_exit(0);
}

/* The compiler may call these even in freestanding code. */
void *memset(void *to, int byte, size_t count);
void *memcpy(void *to, const void *from, size_t count);

void *memset(void *to, int byte, size_t count) {
    void *p = to;
    __asm__ volatile("rep stosb" : "+D"(p), "+c"(count) : "a"(byte) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t count) {
    void *p = to;
    __asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(count) : : "memory");
    return to;
}
