/* host/process/files.c: lists of modules with arguments and commas, files that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/process/files.h"

static struct files f;
static char message[OPTIONS_MESSAGE];

/* A path to a new file with this content; the file lives as long as the test program. */
static const char *make_file(char path[32], const char *content) {
    int fd = memfd_create("file", 0);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return path;
}

/* What files_read leaves to the process's end. */
static int release(void **state) {
    (void)state;
    files_release(&f);
    memset(&f, 0, sizeof f);
    return 0;
}

static bool read_with(const char *kernel, const char *initrd) {
    struct options o = {.kernel = kernel, .initrd = initrd, .append = "a b"};
    release(NULL);
    return files_read(&o, &f, message);
}

static void assert_blob(const struct load_blob *b, const char *content) {
    assert_int_equal(b->size, strlen(content));
    assert_memory_equal(b->data, content, b->size);
}

/* What the n-th module's file has, as load_kernel() gets it. */
static void assert_module(unsigned n, const char *content) {
    size_t size = strlen(content);
    uint8_t *to = calloc(1, size + 1);
    assert_non_null(to);
    assert_null(f.modules[n].blob.data);
    assert_int_equal(f.modules[n].blob.size, size);
    assert_true(f.request.read_module(f.request.context, n, to));
    assert_string_equal((char *)to, content);
    free(to);
}

static void kernel_alone(void **state) {
    (void)state;
    char k[32];
    assert_true(read_with(make_file(k, "kernel"), NULL));
    assert_blob(&f.request.kernel, "kernel");
    assert_string_equal(f.request.kernel_name, k);
    assert_string_equal(f.request.cmdline, "a b");
    assert_int_equal(f.request.module_count, 0);
}

static void module_list(void **state) {
    (void)state;
    char k[32], a[32], b[32], list[200];
    make_file(a, "first");
    make_file(b, "");
    snprintf(list, sizeof list, "%s x=1,,2 y,%s,%s z", a, b, a);
    assert_true(read_with(make_file(k, "kernel"), list));
    assert_int_equal(f.request.module_count, 3);
    assert_module(0, "first");
    assert_blob(&f.modules[1].blob, "");
    assert_module(2, "first");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s x=1,2 y", a);
    assert_string_equal(f.modules[0].args, wanted);
    assert_string_equal(f.modules[1].args, b);
    snprintf(wanted, sizeof wanted, "%s z", a);
    assert_string_equal(f.modules[2].args, wanted);
}

static void big_file(void **state) {
    (void)state;
    enum { BYTES = 5 << 20 };
    char k[32];
    int fd;
    make_file(k, "");
    assert_int_equal(sscanf(k, "/proc/self/fd/%d", &fd), 1);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    assert_int_equal(pwrite(fd, "end", 3, BYTES - 3), 3);
    assert_true(read_with(k, NULL));
    assert_int_equal(f.request.kernel.size, BYTES);
    assert_memory_equal(f.request.kernel.data + BYTES - 3, "end", 3);
}

static void pipe_as_file(void **state) {
    (void)state;
    int ends[2];
    char path[32];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "through a pipe", 14), 14);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    /* opened before the writer closes, read to the writer's end */
    FILE *keep = fopen(path, "r");
    assert_non_null(keep);
    close(ends[1]);
    assert_true(read_with(path, NULL));
    assert_blob(&f.request.kernel, "through a pipe");
    fclose(keep);
    close(ends[0]);
}

static void unreadable(void **state) {
    (void)state;
    char k[32], list[10 * (FILES_MODULES_MAX + 1)] = "";
    make_file(k, "kernel");
    assert_false(read_with("/nonexistent", NULL));
    assert_string_equal(message, "-kernel: cannot read '/nonexistent': No such file or directory");
    assert_false(read_with("/", NULL));
    assert_string_equal(message, "-kernel: cannot read '/': Is a directory");
    assert_false(read_with(k, "/nonexistent a b"));
    assert_string_equal(message, "-initrd: cannot read '/nonexistent': No such file or directory");
    assert_false(read_with(k, ""));
    assert_string_equal(message, "-initrd: cannot read '': No such file or directory");
    for (unsigned i = 0; i <= FILES_MODULES_MAX; i++)
        strcat(list, i == 0 ? "/dev/null" : ",/dev/null");
    assert_false(read_with(k, list));
    assert_string_equal(message, "-initrd: more than 64 files");
    list[strlen(list) - 10] = '\0';
    assert_true(read_with(k, list));
    assert_int_equal(f.request.module_count, FILES_MODULES_MAX);
}

static void assert_fails(const char *format, const char *path, const char *text) {
    char wanted[OPTIONS_MESSAGE];
    snprintf(wanted, sizeof wanted, format, path);
    assert_string_equal(text, wanted);
}

static void read_again(void **state) {
    (void)state;
    char k[32], a[32];
    int fd;
    uint8_t to[6];
    make_file(k, "kernel");
    make_file(a, "initrd");
    assert_true(read_with(k, a));
    assert_module(0, "initrd");
    files_put_away(&f);
    assert_null(f.request.kernel.data);
    assert_true(files_fetch(&f, message));
    assert_blob(&f.request.kernel, "kernel");
    assert_module(0, "initrd");
    assert_true(files_fetch(&f, message)); /* nothing to do */

    files_put_away(&f);
    assert_int_equal(sscanf(k, "/proc/self/fd/%d", &fd), 1);
    assert_int_equal(ftruncate(fd, 3), 0);
    assert_false(files_fetch(&f, message));
    assert_fails("-kernel: '%s' has changed; the guest cannot start with it", k, message);

    assert_int_equal(sscanf(a, "/proc/self/fd/%d", &fd), 1);
    assert_int_equal(pwrite(fd, "other", 5, 0), 5);
    assert_false(f.request.read_module(&f, 0, to)); /* as long, but not the same */
    assert_fails("-initrd: '%s' has changed; the guest cannot start with it", a, f.message);
    assert_int_equal(ftruncate(fd, 3), 0);
    f.message[0] = '\0';
    assert_false(f.request.read_module(&f, 0, to));
    assert_fails("-initrd: '%s' has changed; the guest cannot start with it", a, f.message);
}

static void initrd_cannot_be_read(void **state) {
    (void)state;
    char k[32], a[32];
    uint8_t to[6];
    make_file(k, "kernel");
    make_file(a, "initrd");
    assert_true(read_with(k, a));
    close(f.sources[0].fd);
    assert_false(f.request.read_module(&f, 0, to));
    assert_fails("-initrd: cannot read '%s': Bad file descriptor", a, f.message);
    f.sources[0].again = false;
}

/* What a pipe has given cannot be had again: it is kept. */
static void pipe_is_kept(void **state) {
    (void)state;
    int ends[2];
    char k[32], path[32];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    FILE *keep = fopen(path, "r");
    assert_non_null(keep);
    close(ends[1]);
    assert_true(read_with(make_file(k, "kernel"), path));
    files_put_away(&f);
    assert_true(files_fetch(&f, message));
    assert_blob(&f.modules[0].blob, "piped");
    fclose(keep);
    close(ends[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_alone),
        cmocka_unit_test(module_list),
        cmocka_unit_test(big_file),
        cmocka_unit_test(pipe_as_file),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(read_again),
        cmocka_unit_test(initrd_cannot_be_read),
        cmocka_unit_test(pipe_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
