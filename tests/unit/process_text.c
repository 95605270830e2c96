/*
 * host/process/rt_text.c against libc's snprintf.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/process/text.h"

enum { SIZE = 128, RANDOM_FORMATS = 20000 };

/* The formats are made up here, out of the compiler's sight. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define SAME(fmt, ...)                                                                             \
    do {                                                                                           \
        char want[SIZE], got[SIZE];                                                                \
        struct text text;                                                                          \
        snprintf(want, sizeof want, fmt, __VA_ARGS__);                                             \
        text_begin(&text, got, sizeof got);                                                        \
        text_add(&text, fmt, __VA_ARGS__);                                                         \
        assert_string_equal(got, want);                                                            \
        assert_int_equal(text.length, strlen(want));                                               \
    } while (0)

static uint32_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void plain(void **state) {
    (void)state;
    SAME("%s", "");
    SAME("no conversion%s", ".");
    SAME("100%% %c%c", 'a', 'b');
    SAME("%s and %.3s and %5s and %-5s|", "one", "twoooo", "3", "4");
    SAME("%.*s|%*d|%-*d|", 2, "abcdef", 6, 7, 6, 8);
    SAME("%d %i %u %x %X", -1, INT32_MIN, UINT32_MAX, 0xabcdefu, 0xabcdefu);
    SAME("%ld %llu %zx %jd %td", INT64_MIN + 1, (unsigned long long)UINT64_MAX, sizeof(int),
         (intmax_t)-5, (ptrdiff_t)6);
    SAME("%hhx %hx %hhd %hd", (unsigned char)0xff, (unsigned short)0xffff, (signed char)-1,
         (short)-2);
    SAME("%08x|%8x|%-8x|%#x|%#010x|%#x", 0x12ab, 0x12ab, 0x12ab, 0x12ab, 0x12ab, 0);
    SAME("%05d|%5d|%.5d|%8.5d|%-8.5d|%.0d|", -42, -42, -42, -42, -42, 0);
    SAME("%p", (void *)0x12345678);
}

static void random_formats(void **state) {
    (void)state;
    seed = 1;
    for (unsigned run = 0; run < RANDOM_FORMATS; run++) {
        char fmt[64];
        int n = sprintf(fmt, "a%%");
        static const char *const flags[] = {"", "-", "0", "#", "#0", "-#"};
        const char conversion = "diuxXs"[draw(6)];
        const char *flag = flags[draw(6)];
        if (conversion != 'x' && conversion != 'X' && strchr(flag, '#') != NULL)
            flag = "";
        if (conversion == 's' && strchr(flag, '0') != NULL)
            flag = "";
        n += sprintf(fmt + n, "%s", flag);
        if (draw(2))
            n += sprintf(fmt + n, "%u", 1 + draw(40));
        if (draw(2))
            n += sprintf(fmt + n, ".%u", draw(30));
        if (conversion == 's') {
            sprintf(fmt + n, "sb");
            const char *string = &"some text"[draw(9)];
            SAME(fmt, string);
        } else if (draw(2)) {
            sprintf(fmt + n, "l%cb", conversion);
            unsigned long value = ((unsigned long)draw(1 << 24) << draw(41)) - draw(2);
            SAME(fmt, value);
        } else {
            sprintf(fmt + n, "%cb", conversion);
            unsigned value = (draw(1 << 24) << draw(9)) - draw(2);
            SAME(fmt, value);
        }
    }
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    for (size_t size = 1; size < 12; size++) {
        char buffer[16];
        struct text t;
        memset(buffer, 'x', sizeof buffer);
        text_begin(&t, buffer, size);
        text_add(&t, "%s%d%8x", "abc", 1234, 5);
        text_add(&t, "more");
        assert_int_equal(strlen(buffer), size - 1);
        assert_int_equal(t.length, size - 1);
        assert_memory_equal(buffer, "abc1234       5", size - 1);
        for (size_t i = size; i < sizeof buffer; i++)
            assert_int_equal(buffer[i], 'x');
    }
}

static void columns(void **state) {
    (void)state;
    char buffer[16];
    struct text t;
    text_begin(&t, buffer, sizeof buffer);
    text_add(&t, "ab");
    text_pad(&t, 4);
    text_add(&t, "c");
    text_pad(&t, 3);
    text_add(&t, "d");
    assert_string_equal(buffer, "ab  cd");
    text_pad(&t, 1000);
    assert_int_equal(t.length, sizeof buffer - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(random_formats),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
