/* host/process/options.c: every option, and one clear sentence for every mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/host.h"
#include "host/process/options.h"

enum { WORDS_MAX = 16 };

static struct options o;
static char message[OPTIONS_MESSAGE];

/* Parses "ringone" and the words up to NULL. */
static enum options_result parse(const char *first, ...) {
    static char words[WORDS_MAX][512];
    char *argv[WORDS_MAX + 1] = {words[0]};
    int argc = 1;
    va_list ap;
    strcpy(words[0], "ringone");
    va_start(ap, first);
    for (const char *w = first; w != NULL; w = va_arg(ap, const char *)) {
        assert_in_range(argc, 1, WORDS_MAX - 1);
        assert_in_range(strlen(w), 0, sizeof words[0] - 1);
        argv[argc] = strcpy(words[argc], w);
        argc++;
    }
    va_end(ap);
    return options_parse(argc, argv, &o, message);
}

#define ACCEPT(...) assert_int_equal(parse("-kernel", "k", __VA_ARGS__, NULL), OPTIONS_RUN)
#define REJECT(text, ...)                                                                          \
    do {                                                                                           \
        assert_int_equal(parse(__VA_ARGS__, NULL), OPTIONS_BAD);                                   \
        assert_string_equal(message, text);                                                        \
    } while (0)

static void defaults(void **state) {
    (void)state;
    assert_int_equal(parse("-kernel", "vmlinuz", NULL), OPTIONS_RUN);
    assert_string_equal(o.kernel, "vmlinuz");
    assert_int_equal(o.ram_bytes, 128 << 20);
    assert_string_equal(o.append, "");
    assert_null(o.initrd);
    assert_int_equal(o.serial.kind, CHR_MON_STDIO);
    assert_int_equal(o.debugcon.kind, CHR_NULL);
    assert_false(o.no_reboot);
    assert_false(o.stats);
    assert_true(o.sandbox);
    assert_int_equal(o.log_mask, 0);
    assert_null(o.log_path);
    assert_null(o.log_filter);
    assert_null(o.symbols);
    assert_null(o.profile);
    assert_false(o.panic_on_signal);
}

static void all_options(void **state) {
    (void)state;
    ACCEPT("-initrd", "i", "-append", "a b", "-no-reboot", "-stats", "-accel", "process",
           "--sandbox", "off", "-D", "log", "-nographic");
    assert_string_equal(o.initrd, "i");
    assert_string_equal(o.append, "a b");
    assert_true(o.no_reboot);
    assert_true(o.stats);
    assert_false(o.sandbox);
    assert_string_equal(o.log_path, "log");
    ACCEPT("-dfilter", "1+2", "-symbols", "map", "-profile", "p");
    assert_string_equal(o.log_filter, "1+2");
    assert_string_equal(o.symbols, "map");
    assert_string_equal(o.profile, "p");
    ACCEPT("-accel", "process,panic-on-signal=on");
    assert_true(o.panic_on_signal);
    ACCEPT("-accel", "process,form=checked");
    assert_int_equal(o.form, VM_FORM_CHECKED);
    ACCEPT("-accel", "process,form=direct");
    assert_int_equal(o.form, VM_FORM_DIRECT);
    ACCEPT("-accel", "process,form=short");
    assert_int_equal(o.form, VM_FORM_SHORT);
    assert_false(o.ring0);
    ACCEPT("-accel", "ring0");
    assert_true(o.ring0);
}

static void memory_sizes(void **state) {
    (void)state;
    ACCEPT("-m", "64");
    assert_int_equal(o.ram_bytes, 64 << 20);
    ACCEPT("-m", "4M");
    assert_int_equal(o.ram_bytes, 4 << 20);
    ACCEPT("-m", "3584m");
    assert_int_equal(o.ram_bytes, 3584ull << 20);
    ACCEPT("-m", "3G");
    assert_int_equal(o.ram_bytes, 3ull << 30);
    ACCEPT("-m", "65536k");
    assert_int_equal(o.ram_bytes, 64 << 20);
    REJECT("-m: '3' is outside 4M to 3584M", "-m", "3");
    REJECT("-m: '3585' is outside 4M to 3584M", "-m", "3585");
    REJECT("-m: '4G' is outside 4M to 3584M", "-m", "4G");
    REJECT("-m: '18446744073709551616' is outside 4M to 3584M", "-m", "18446744073709551616");
    REJECT("-m: '17592186044417G' is outside 4M to 3584M", "-m", "17592186044417G");
    REJECT("-m: '8193k' is not a multiple of 4K", "-m", "8193k");
    const char *const not_sizes[] = {"", "M", "-64", " 64", "64X", "64MB", "1.5G", "0x40"};
    for (size_t i = 0; i < sizeof not_sizes / sizeof not_sizes[0]; i++) {
        assert_int_equal(parse("-kernel", "k", "-m", not_sizes[i], NULL), OPTIONS_BAD);
        assert_non_null(strstr(message, "is not a size such as 256, 256M or 1G"));
    }
}

static void channels(void **state) {
    (void)state;
    ACCEPT("-serial", "null", "-debugcon", "stdio");
    assert_int_equal(o.serial.kind, CHR_NULL);
    assert_int_equal(o.debugcon.kind, CHR_STDIO);
    ACCEPT("-serial", "file:a:b", "-debugcon", "pty");
    assert_int_equal(o.serial.kind, CHR_FILE);
    assert_string_equal(o.serial.path, "a:b");
    assert_int_equal(o.debugcon.kind, CHR_PTY);
    /* the terminal goes to whoever asks for it */
    ACCEPT("-debugcon", "mon:stdio");
    assert_int_equal(o.serial.kind, CHR_NULL);
    REJECT("-debugcon: standard input and output are the serial port's already", "-kernel", "k",
           "-debugcon", "stdio", "-nographic");
    REJECT("-debugcon: standard input and output are the serial port's already", "-kernel", "k",
           "-debugcon", "stdio", "-serial", "stdio");
    REJECT("-serial: 'vc' is not one of stdio, mon:stdio, file:PATH, pty, null", "-serial", "vc");
    REJECT("-debugcon: file: needs a path", "-debugcon", "file:");
}

static void trace_items(void **state) {
    (void)state;
    ACCEPT("-d", "in_asm,int", "-d", "unimp");
    assert_int_equal(o.log_mask, LOG_IN_ASM | LOG_INT | LOG_UNIMP);
    ACCEPT("-d", "out_asm,mmu,guest_errors");
    assert_int_equal(o.log_mask, LOG_OUT_ASM | LOG_MMU | LOG_GUEST_ERRORS);
    REJECT("-d: 'in' is not one of in_asm, out_asm, int, mmu, guest_errors, unimp", "-d", "in");
    REJECT("-d: '' is not one of in_asm, out_asm, int, mmu, guest_errors, unimp", "-d", "int,");
    REJECT("-d: '' is not one of in_asm, out_asm, int, mmu, guest_errors, unimp", "-d", "");
}

static void disks(void **state) {
    (void)state;
    assert_int_equal(parse("-hda", "a", "-hdc", "c", NULL), OPTIONS_RUN);
    assert_string_equal(o.disk[0].path, "a");
    assert_null(o.disk[1].path);
    assert_string_equal(o.disk[2].path, "c");
    assert_non_null(o.bios); /* a disk alone boots by firmware */
    ACCEPT("-drive", "file=d,format=raw,if=ide,readonly=on");
    assert_null(o.bios);
    assert_string_equal(o.disk[0].path, "d");
    assert_true(o.disk[0].read_only);
    assert_false(o.disk[0].snapshot);
    ACCEPT("-hda", "a", "-drive", "file=d", "-drive", "index=3,file=e", "-snapshot");
    assert_string_equal(o.disk[1].path, "d");
    assert_string_equal(o.disk[3].path, "e");
    assert_true(o.disk[0].snapshot && o.disk[1].snapshot && o.disk[3].snapshot);
    REJECT("-drive: file=PATH is missing", "-drive", "format=raw");
    REJECT("-drive: 'x' is not of the form KEY=VALUE", "-drive", "x");
    REJECT("-drive: more than 4 disks", "-hda", "a", "-hdb", "b", "-hdc", "c", "-hdd", "d",
           "-drive", "file=e");
}

static void mistakes(void **state) {
    (void)state;
    REJECT("-kernel, -hda or -bios FILE is missing; ringone -help lists the options", "-m", "64");
    REJECT("unknown option '-foo'; ringone -help lists the options", "-foo");
    REJECT("unknown option '--smp=2'; ringone -help lists the options", "--smp=2");
    REJECT("'disk.img' is not an option; ringone -help lists the options", "-kernel", "k",
           "disk.img");
    REJECT("-m needs an argument", "-m");
    REJECT("-stats takes no argument", "-stats=yes");
    REJECT("-accel: 'kvm' is neither process nor ring0", "-accel", "kvm");
    REJECT("-sandbox: '1' is neither on nor off", "-sandbox", "1");
}

/* However long a wrong argument is, the message ends in its buffer. */
static void long_words(void **state) {
    (void)state;
    char word[500];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    const char *const names[] = {"-m", "-d", "-serial", "-debugcon", "-accel", "-sandbox"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(parse("-kernel", "k", names[i], word, NULL), OPTIONS_BAD);
        assert_in_range(strlen(message), 1, OPTIONS_MESSAGE - 1);
        assert_memory_equal(message, names[i], strlen(names[i]));
    }
    word[0] = '-';
    assert_int_equal(parse(word, NULL), OPTIONS_BAD);
    assert_non_null(strstr(message, "unknown option"));
}

static void help_and_version(void **state) {
    (void)state;
    char text[4096];
    assert_int_equal(parse("-h", NULL), OPTIONS_HELP);
    assert_int_equal(parse("--help", "-foo", NULL), OPTIONS_HELP);
    assert_int_equal(parse("-version", NULL), OPTIONS_VERSION);
    assert_int_equal(parse("-foo", "-h", NULL), OPTIONS_BAD);
    options_help(text, sizeof text);
    unsigned lines = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_in_range(strlen(line), 1, 80);
        lines++;
    }
    assert_in_range(lines, 15, 24); /* a screen */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(all_options),
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(channels),
        cmocka_unit_test(trace_items),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(disks),
        cmocka_unit_test(long_words),
        cmocka_unit_test(help_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
