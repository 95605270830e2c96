/* File-system stress on the tmpfs at /dev/shm: create, write, rename, read back, unlink. */
#include "lib/rt.h"

enum { O_RDONLY = 0, O_WRONLY_CREATE = 0x41, FILES = 32, BYTES = 10000 };

static uint8_t data[BYTES];

static char *name_of(char *buffer, char kind, uint32_t number) {
    const char *p = "/dev/shm/ringone-bench/";
    char *q = buffer;
    while (*p != 0)
        *q++ = *p++;
    *q++ = kind;
    *q++ = (char)('0' + number / 10);
    *q++ = (char)('0' + number % 10);
    *q = 0;
    return buffer;
}

static void write_file(uint32_t number, uint32_t *seed) {
    char name[40], final[40];
    for (uint32_t i = 0; i < BYTES; i += 100)
        data[i] = (uint8_t)rt_random(seed);
    uint32_t file = sys3_or_die("create", SYS_OPEN, (uint32_t)name_of(name, 't', number),
                                O_WRONLY_CREATE, 0600);
    for (uint32_t done = 0; done < BYTES; done += 1000)
        if (sys3(SYS_WRITE, file, (uint32_t)data + done, 1000) != 1000)
            rt_die("write");
    sys3(SYS_CLOSE, file, 0, 0);
    sys3_or_die("rename", SYS_RENAME, (uint32_t)name, (uint32_t)name_of(final, 'f', number), 0);
}

static uint32_t read_file(uint32_t number) {
    char name[40];
    uint32_t sum = 0;
    uint32_t file =
        sys3_or_die("open", SYS_OPEN, (uint32_t)name_of(name, 'f', number), O_RDONLY, 0);
    for (int32_t n; (n = sys3(SYS_READ, file, (uint32_t)data, 4096)) > 0;)
        for (int32_t i = 0; i < n; i += 50)
            sum = rt_mix(sum, data[i]);
    sys3(SYS_CLOSE, file, 0, 0);
    sys3_or_die("unlink", SYS_UNLINK, (uint32_t)name, 0, 0);
    return sum;
}

/* Count: rounds of 32 files of 10,000 bytes. */
uint32_t workload(uint32_t count) {
    char folder[40] = "/dev/shm/ringone-bench";
    uint32_t seed = 1, sum = 0;
    sys3_or_die("mkdir in /dev/shm", SYS_MKDIR, (uint32_t)folder, 0700, 0);
    for (uint32_t round = 0; round < count; round++) {
        for (uint32_t i = 0; i < FILES; i++)
            write_file(i, &seed);
        for (uint32_t i = 0; i < FILES; i++)
            sum = rt_mix(sum, read_file(i));
    }
    sys3_or_die("rmdir", SYS_RMDIR, (uint32_t)folder, 0, 0);
    return sum;
}
