/* host/process/memory_object.c: what guest RAM and code memory need of a memory object, in whatever
 * pages the host gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/process/memory_object.h"

enum { BYTES = 3 << 20 };

static int first_free; /* descriptor, when the program began */

static uint8_t *map(int fd, int prot) {
    uint8_t *p = mmap(NULL, BYTES, prot, MAP_SHARED, fd, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

static void check(int fd, const char *name) {
    struct stat info;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, BYTES);
    uint8_t *first = map(fd, PROT_READ | PROT_WRITE), *second = map(fd, PROT_READ);
    assert_int_equal(first[BYTES - 1], 0);
    first[BYTES - 1] = 17;
    assert_int_equal(second[BYTES - 1], 17);

    /* it is known by its name, and no directory has it */
    char line[512], want[64];
    unsigned found = 0;
    snprintf(want, sizeof want, "%s (deleted)", name);
    FILE *f = fopen("/proc/self/maps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        found += strstr(line, want) != NULL;
    fclose(f);
    assert_int_equal(found, 2);
    munmap(first, BYTES);
    munmap(second, BYTES);
    close(fd);
}

static void objects(void **state) {
    (void)state;
    check(memory_object("one", BYTES), "one");
    check(memory_object("two", BYTES), "two");
    check(memory_object_small("small", BYTES), "small");
}

/* Two of the same name are two. */
static void names_are_no_keys(void **state) {
    (void)state;
    int one = memory_object("same", BYTES), other = memory_object("same", BYTES);
    uint8_t *p = map(one, PROT_READ | PROT_WRITE);
    *p = 1;
    assert_int_equal(*map(other, PROT_READ), 0);
    close(one);
    close(other);
}

static void goes_on_without_a_directory(void **state) {
    (void)state;
    memory_object_done();
    memory_object_done();
    check(memory_object("late", BYTES), "late");
}

/* Who had nothing open has nothing more open in the end, and no child. */
static void leaves_nothing_behind(void **state) {
    (void)state;
    close(memory_object("gone", BYTES));
    memory_object_done();
    int after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(after, first_free);
    assert_int_equal(wait(NULL), -1);
}

int main(void) {
    first_free = dup(STDERR_FILENO);
    close(first_free);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects),
        cmocka_unit_test(names_are_no_keys),
        cmocka_unit_test(leaves_nothing_behind),
        cmocka_unit_test(goes_on_without_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
