/* rt.h: program start, the few functions the compiler may call. What depends on the instruction set
 * is in rt_i386.c and rt_x86_64.c. */
#include "rt_priv.h"

int rt_argc;
char **rt_argv;

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

void rt_start(const uint32_t *stack) {
    rt_argc = (int)stack[0];
    rt_argv = (char **)(stack + 1);
    rt_start_system_calls(stack + 1 + rt_argc + 1);
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
