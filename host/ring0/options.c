/*
 * Parsing the options module (options.h): one table row per option.
 */
#include "host/ring0/options.h"

#include "host/host.h"
#include "host/ring0/serial.h"

#define MIB (1ull << 20)

enum { RAM_MIN_MIB = 4, RAM_DEFAULT_MIB = 128, RAM_MAX_MIB = 3584, OPTIONS_MAX_BYTES = 65536 };

static bool equal(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Decimal, or hexadecimal after 0x; stops at what is no digit. */
static uint64_t number(const char **p) {
    uint64_t n = 0;
    unsigned base = 10;

    if ((*p)[0] == '0' && (*p)[1] == 'x') {
        base = 16;
        *p += 2;
    }
    for (;; (*p)++) {
        char c = **p;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base || n > UINT32_MAX)
            return n;
        n = n * base + digit;
    }
}

static const char *take_memory(struct options *o, const char *value) {
    uint64_t n = number(&value);
    uint64_t unit = MIB;

    if (*value == 'K' || *value == 'k')
        unit = 1024;
    else if (*value == 'G' || *value == 'g')
        unit = 1024 * MIB;
    else if (*value != 'M' && *value != 'm' && *value != '\0')
        return "-m: not a size such as 256, 256M or 1G";
    n *= unit;
    if (n < RAM_MIN_MIB * MIB || n > RAM_MAX_MIB * MIB || n % 4096)
        return "-m: outside 4M to 3584M, or not a multiple of 4K";
    o->ram_bytes = n;
    return NULL;
}

static const char *take_append(struct options *o, const char *value) {
    o->append = value;
    return NULL;
}

static const char *take_no_reboot(struct options *o, const char *value) {
    (void)value;
    o->no_reboot = true;
    return NULL;
}

static const char *take_stats(struct options *o, const char *value) {
    (void)value;
    o->stats = true;
    return NULL;
}

static const char *take_selftest(struct options *o, const char *value) {
    (void)value;
    o->selftest = true;
    return NULL;
}

static const char *take_random(struct options *o, const char *value) {
    uint32_t *const to[] = {&o->random_first, &o->random_count, &o->random_ms};

    for (unsigned i = 0; i < sizeof to / sizeof to[0]; i++) {
        *to[i] = (uint32_t)number(&value);
        if (*value == ' ')
            value++;
    }
    if (*value || o->random_count == 0 || o->random_ms == 0)
        return "-selftest-random: not three numbers: first seed, how many, milliseconds for each";
    return NULL;
}

static const char *take_disks(struct options *o, const char *value) {
    uint64_t mask = number(&value);

    o->disks = (uint32_t)mask;
    return *value || mask > 15 ? "-disks: not a mask of disks 0 to 3" : NULL;
}

static const char *take_vga_bios(struct options *o, const char *value) {
    (void)value;
    o->vga_bios = true;
    return NULL;
}

static const char *take_serial_console(struct options *o, const char *value) {
    (void)value;
    o->serial_console = true;
    return NULL;
}

static const char *take_limit(struct options *o, const char *value) {
    uint64_t ms = number(&value);

    o->limit_ms = (uint32_t)ms;
    return *value || ms == 0 || ms > UINT32_MAX ? "-limit: not a number of milliseconds" : NULL;
}

static const char *take_bios(struct options *o, const char *value) {
    (void)value;
    o->bios = true;
    return NULL;
}

static const char *take_keys(struct options *o, const char *value) {
    (void)value;
    o->keys = true;
    return NULL;
}

static const char *take_symbols(struct options *o, const char *value) {
    (void)value;
    o->symbols = true;
    return NULL;
}

static const char *take_filter(struct options *o, const char *value) {
    o->log_filter = value;
    return NULL;
}

static const char *take_profile(struct options *o, const char *value) {
    (void)value;
    o->profile = true;
    return NULL;
}

static const char *take_screendump(struct options *o, const char *value) {
    (void)value;
    o->screendump = true;
    return NULL;
}

static const char *take_debugcon(struct options *o, const char *value) {
    (void)value;
    o->debugcon = true;
    return NULL;
}

static const char *take_log(struct options *o, const char *value) {
    o->log_mask = (uint32_t)number(&value);
    return NULL;
}

static const char *take_messages(struct options *o, const char *value) {
    if (equal(value, "com2"))
        o->messages = SERIAL_COM2;
    else if (!equal(value, "com1"))
        return "-messages: neither com1 nor com2";
    return NULL;
}

static const char *take_exit_port(struct options *o, const char *value) {
    o->exit_port = (uint16_t)number(&value);
    return NULL;
}

static const char *take_channel(struct options *o, const char *value) {
    o->channel_port = (uint16_t)number(&value);
    return NULL;
}

static const struct {
    const char *name;
    const char *(*take)(struct options *o, const char *value);
} rows[] = {
    {"-m", take_memory},
    {"-append", take_append},
    {"-no-reboot", take_no_reboot},
    {"-stats", take_stats},
    {"-selftest", take_selftest},
    {"-selftest-random", take_random},
    {"-bios", take_bios},
    {"-limit", take_limit},
    {"-disks", take_disks},
    {"-vga-bios", take_vga_bios},
    {"-serial-console", take_serial_console},
    {"-debugcon", take_debugcon},
    {"-keys", take_keys},
    {"-symbols", take_symbols},
    {"-dfilter", take_filter},
    {"-profile", take_profile},
    {"-screendump-text", take_screendump},
    {"-channel", take_channel},
    {"-d", take_log}, /* mask of enum host_log */
    {"-messages", take_messages},
    {"-exit-port", take_exit_port},
};

void options_default(struct options *o) {
    *o = (struct options){.ram_bytes = RAM_DEFAULT_MIB * MIB, .append = ""};
}

bool options_is(const char *text, size_t size) {
    size_t n = sizeof OPTIONS_MAGIC - 1;

    return size > n && memcmp(text, OPTIONS_MAGIC, n) == 0 && text[n] == '\n';
}

static const char *take_line(char *line, struct options *o) {
    char *value = line;

    if (*line != '-')
        return NULL;
    while (*value && *value != ' ')
        value++;
    if (*value)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (equal(rows[i].name, line))
            return rows[i].take(o, value);
    return "the options module has an option that is unknown here";
}

const char *options_parse(char *text, size_t size, struct options *o) {
    if (size > OPTIONS_MAX_BYTES)
        return "the options module is too long";
    for (size_t start = 0, end; start < size; start = end + 1) {
        for (end = start; end < size && text[end] != '\n'; end++)
            ;
        if (end == size)
            return "the options module does not end with a line feed";
        text[end] = '\0';
        const char *trouble = take_line(text + start, o);
        if (trouble)
            return trouble;
    }
    return NULL;
}
