/*
 * The command line (options.h): one table row per option gives its name, argument, help line and
 * the routine that takes it.
 */
#include "host/process/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"

#define MIB          (1ull << 20)
#define OPTIONS_BIOS "/usr/share/seabios/bios-256k.bin" /* Debian's package seabios */

enum { RAM_MIN_MIB = 4, RAM_DEFAULT_MIB = 128, RAM_MAX_MIB = 3584 };

const char options_version[] = "ringone 0.1\n";

struct parse {
    struct options *o;
    char *message;
    bool serial_given, help, version, snapshot;
};

static bool bad(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool bad(struct parse *p, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->message, OPTIONS_MESSAGE, fmt, ap);
    va_end(ap);
    return false;
}

static bool take_memory(struct parse *p, const char *arg) {
    uint64_t unit = MIB;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(arg, &end, 10);
    bool digits = arg[0] >= '0' && arg[0] <= '9';
    if (digits && *end != '\0') {
        switch (*end++) {
        case 'k':
        case 'K':
            unit = 1024;
            break;
        case 'm':
        case 'M':
            break;
        case 'g':
        case 'G':
            unit = 1024 * MIB;
            break;
        default:
            digits = false;
        }
    }
    if (!digits || *end != '\0')
        return bad(p, "-m: '%s' is not a size such as 256, 256M or 1G", arg);
    if (errno != 0 || n > RAM_MAX_MIB * MIB / unit || n * unit < RAM_MIN_MIB * MIB)
        return bad(p, "-m: '%s' is outside %dM to %dM", arg, RAM_MIN_MIB, RAM_MAX_MIB);
    if (n * unit % 4096 != 0)
        return bad(p, "-m: '%s' is not a multiple of 4K", arg);
    p->o->ram_bytes = n * unit;
    return true;
}

static bool take_kernel(struct parse *p, const char *arg) {
    p->o->kernel = arg;
    return true;
}

static bool take_bios(struct parse *p, const char *arg) {
    p->o->bios = arg;
    return true;
}

static bool add_disk(struct parse *p, unsigned number, const struct disk_option *d) {
    if (p->o->disk[number].path != NULL)
        return bad(p, "-%s: disk %u is given twice", d->option, number);
    p->o->disk[number] = *d;
    return true;
}

static bool take_hda(struct parse *p, const char *arg) {
    return add_disk(p, 0, &(struct disk_option){.option = "hda", .path = arg});
}

static bool take_hdb(struct parse *p, const char *arg) {
    return add_disk(p, 1, &(struct disk_option){.option = "hdb", .path = arg});
}

static bool take_hdc(struct parse *p, const char *arg) {
    return add_disk(p, 2, &(struct disk_option){.option = "hdc", .path = arg});
}

static bool take_hdd(struct parse *p, const char *arg) {
    return add_disk(p, 3, &(struct disk_option){.option = "hdd", .path = arg});
}

/* One KEY=VALUE of -drive. index: where the disk goes. */
static bool take_drive_part(struct parse *p, char *part, struct disk_option *d, unsigned *index) {
    char *value = strchr(part, '=');
    if (value == NULL)
        return bad(p, "-drive: '%.100s' is not of the form KEY=VALUE", part);
    *value++ = '\0';
    if (strcmp(part, "file") == 0) {
        d->path = value;
        return true;
    }
    if (strcmp(part, "index") == 0 && value[0] >= '0' && value[0] < '0' + OPTIONS_DISKS &&
        value[1] == '\0') {
        *index = (unsigned)(value[0] - '0');
        return true;
    }
    bool on = strcmp(value, "on") == 0;
    if (strcmp(part, "readonly") == 0 && (on || strcmp(value, "off") == 0)) {
        d->read_only = on;
        return true;
    }
    if (strcmp(part, "snapshot") == 0 && (on || strcmp(value, "off") == 0)) {
        d->snapshot = on;
        return true;
    }
    if ((strcmp(part, "format") == 0 && strcmp(value, "raw") == 0) ||
        (strcmp(part, "if") == 0 && strcmp(value, "ide") == 0) ||
        (strcmp(part, "media") == 0 && strcmp(value, "disk") == 0))
        return true;
    return bad(p,
               "-drive: '%.50s=%.50s' is not one of file=, format=raw, if=ide, media=disk, "
               "index=0 to 3, readonly=on|off, snapshot=on|off",
               part, value);
}

static bool place_drive(struct parse *p, const struct disk_option *d, unsigned index) {
    if (d->path == NULL || d->path[0] == '\0')
        return bad(p, "-drive: file=PATH is missing");
    for (unsigned i = 0; index == OPTIONS_DISKS && i < OPTIONS_DISKS; i++)
        if (p->o->disk[i].path == NULL)
            index = i;
    if (index == OPTIONS_DISKS)
        return bad(p, "-drive: more than %d disks", OPTIONS_DISKS);
    if (!add_disk(p, index, d))
        return false;
    p->o->disk[index].path = strdup(d->path); /* it points into the copy of the argument */
    return true;
}

static bool take_drive(struct parse *p, const char *arg) {
    struct disk_option d = {.option = "drive"};
    unsigned index = OPTIONS_DISKS;
    char *parts = strdup(arg), *rest = parts, *part;
    bool good = true;
    while (good && (part = strsep(&rest, ",")) != NULL)
        good = take_drive_part(p, part, &d, &index);
    good = good && place_drive(p, &d, index);
    free(parts);
    return good;
}

static bool take_snapshot(struct parse *p, const char *arg) {
    (void)arg;
    p->snapshot = true;
    return true;
}

static bool take_screendump(struct parse *p, const char *arg) {
    p->o->screendump = arg;
    return true;
}

static bool take_initrd(struct parse *p, const char *arg) {
    p->o->initrd = arg;
    return true;
}

static bool take_append(struct parse *p, const char *arg) {
    p->o->append = arg;
    return true;
}

static bool take_chr(struct parse *p, const char *name, const char *arg, struct chr_option *c) {
    static const struct {
        const char *name;
        enum chr_kind kind;
    } kinds[] = {{"null", CHR_NULL},
                 {"none", CHR_NULL},
                 {"stdio", CHR_STDIO},
                 {"mon:stdio", CHR_MON_STDIO},
                 {"pty", CHR_PTY}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(arg, kinds[i].name) == 0) {
            *c = (struct chr_option){kinds[i].kind, NULL};
            return true;
        }
    }
    if (strncmp(arg, "file:", 5) != 0)
        return bad(p, "-%s: '%s' is not one of stdio, mon:stdio, file:PATH, pty, null", name, arg);
    if (arg[5] == '\0')
        return bad(p, "-%s: file: needs a path", name);
    *c = (struct chr_option){CHR_FILE, arg + 5};
    return true;
}

static bool take_serial(struct parse *p, const char *arg) {
    p->serial_given = true;
    return take_chr(p, "serial", arg, &p->o->serial);
}

static bool take_debugcon(struct parse *p, const char *arg) {
    return take_chr(p, "debugcon", arg, &p->o->debugcon);
}

static bool take_nographic(struct parse *p, const char *arg) {
    (void)arg;
    p->o->nographic = true;
    return true;
}

static bool take_no_reboot(struct parse *p, const char *arg) {
    (void)arg;
    p->o->no_reboot = true;
    return true;
}

static bool take_accel(struct parse *p, const char *arg) {
    p->o->ring0 = strncmp(arg, "ring0", 5) == 0;
    if (strcmp(arg, "process") == 0 || strcmp(arg, "ring0") == 0)
        return true;
    static const struct {
        const char *arg;
        enum vm_form form;
    } forms[] = {{"process,form=checked", VM_FORM_CHECKED}, /* for tests: vm.h */
                 {"process,form=direct", VM_FORM_DIRECT},
                 {"process,form=short", VM_FORM_SHORT}};
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (strcmp(arg, forms[k].arg) == 0) {
            p->o->form = forms[k].form;
            return true;
        }
    if (strcmp(arg, "process,panic-on-signal=on") == 0 ||
        strcmp(arg, "ring0,panic-on-signal=on") == 0) { /* for tests: panic.h */
        p->o->panic_on_signal = true;
        return true;
    }
    return bad(p, "-accel: '%s' is neither process nor ring0", arg);
}

static bool take_coverage(struct parse *p, const char *arg) {
    p->o->coverage = arg;
    return true;
}

static bool take_log(struct parse *p, const char *arg) {
    static const struct {
        const char *name;
        uint32_t bit;
    } items[] = {{"in_asm", LOG_IN_ASM}, {"out_asm", LOG_OUT_ASM},
                 {"int", LOG_INT},       {"mmu", LOG_MMU},
                 {"unimp", LOG_UNIMP},   {"guest_errors", LOG_GUEST_ERRORS}};
    for (const char *s = arg;; s++) {
        size_t n = strcspn(s, ",");
        uint32_t bit = 0;
        for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
            if (strlen(items[i].name) == n && strncmp(s, items[i].name, n) == 0)
                bit = items[i].bit;
        if (bit == 0)
            return bad(p, "-d: '%.*s' is not one of in_asm, out_asm, int, mmu, guest_errors, unimp",
                       n > 40 ? 40 : (int)n, s);
        p->o->log_mask |= bit;
        s += n;
        if (*s == '\0')
            return true;
    }
}

static bool take_log_path(struct parse *p, const char *arg) {
    p->o->log_path = arg;
    return true;
}

static bool take_log_filter(struct parse *p, const char *arg) {
    p->o->log_filter = arg;
    return true;
}

static bool take_symbols(struct parse *p, const char *arg) {
    p->o->symbols = arg;
    return true;
}

static bool take_sandbox(struct parse *p, const char *arg) {
    bool on = strcmp(arg, "on") == 0;
    if (!on && strcmp(arg, "off") != 0)
        return bad(p, "-sandbox: '%s' is neither on nor off", arg);
    p->o->sandbox = on;
    return true;
}

static bool take_stats(struct parse *p, const char *arg) {
    (void)arg;
    p->o->stats = true;
    return true;
}

static bool take_profile(struct parse *p, const char *arg) {
    p->o->profile = arg;
    return true;
}

static bool take_version(struct parse *p, const char *arg) {
    (void)arg;
    p->version = true;
    return true;
}

static bool take_help(struct parse *p, const char *arg) {
    (void)arg;
    p->help = true;
    return true;
}

static const struct row {
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;     /* NULL: another row's second name */
    bool (*take)(struct parse *p, const char *arg);
} rows[] = {
    {"kernel", "FILE", "kernel to boot: Linux bzImage or Multiboot", take_kernel},
    {"initrd", "FILE", "initial RAM disk; Multiboot modules: \"FILE ARGS,FILE ARGS\"", take_initrd},
    {"append", "TEXT", "kernel command line", take_append},
    {"hda", "FILE", "raw disk image to boot; -hdb, -hdc, -hdd, -drive likewise", take_hda},
    {"hdb", "FILE", NULL, take_hdb},
    {"hdc", "FILE", NULL, take_hdc},
    {"hdd", "FILE", NULL, take_hdd},
    {"drive", "LIST", NULL, take_drive},
    {"snapshot", NULL, "leave disk images as they are", take_snapshot},
    {"bios", "FILE", "firmware for disks (" OPTIONS_BIOS ")", take_bios},
    {"m", "SIZE", "guest memory, 4M to 3584M; without K, M or G in MiB (128)", take_memory},
    {"nographic", NULL, "serial port on this terminal (the default); Ctrl-A H: keys",
     take_nographic},
    {"serial", "DEV", "serial port: stdio, mon:stdio, file:PATH, pty, null", take_serial},
    {"debugcon", "DEV", "debug console at ports E9h and 402h, likewise (null)", take_debugcon},
    {"screendump-text", "FILE", "write the VGA text screen there at exit", take_screendump},
    {"no-reboot", NULL, "exit when the guest restarts", take_no_reboot},
    {"accel", "NAME", "how to run: process, or ring0 in an emulated PC", take_accel},
    {"sandbox", "on|off", "forbid system calls that a running guest does not need (on)",
     take_sandbox},
    {"coverage", "FILE", NULL, take_coverage}, /* for make coverage */
    {"stats", NULL, "print statistics at exit", take_stats},
    {"profile", "FILE", "write where the time goes, for flame graphs, to FILE", take_profile},
    {"d", "ITEM,...", "trace in_asm, out_asm, int, mmu, guest_errors, unimp", take_log},
    {"D", "FILE", "write the trace to FILE (standard error)", take_log_path},
    {"dfilter", "LIST", "trace START+LENGTH,START..LAST,SYMBOL,... only", take_log_filter},
    {"symbols", "FILE", "guest kernel's names for the trace: System.map or ELF", take_symbols},
    {"version", NULL, NULL, take_version},
    {"help", NULL, "print this text; -version: the version", take_help},
    {"h", NULL, NULL, take_help},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

void options_help(char *text, size_t size) {
    size_t n = (size_t)snprintf(text, size,
                                "Usage: ringone -kernel FILE | -hda FILE [option]...\n"
                                "Runs a 32-bit x86 operating system in a virtual machine.\n");
    for (size_t i = 0; i < ROWS && n < size; i++) {
        if (rows[i].help == NULL)
            continue;
        n += (size_t)snprintf(text + n, size - n, "  -%s%s%-*s %s\n", rows[i].name,
                              rows[i].argument ? " " : "",
                              (int)(16 - strlen(rows[i].name) - (rows[i].argument != NULL)),
                              rows[i].argument ? rows[i].argument : "", rows[i].help);
    }
    if (n < size)
        snprintf(text + n, size - n,
                 "Example: ringone -kernel vmlinuz -initrd initrd.gz -append console=ttyS0\n");
}

static bool is_stdio(const struct chr_option *c) {
    return c->kind == CHR_STDIO || c->kind == CHR_MON_STDIO;
}

/* What no single option can check. */
static bool check_whole(struct parse *p) {
    struct options *o = p->o;
    if (!p->serial_given && !o->nographic && is_stdio(&o->debugcon))
        o->serial = (struct chr_option){CHR_NULL, NULL};
    if (is_stdio(&o->serial) && is_stdio(&o->debugcon))
        return bad(p, "-debugcon: standard input and output are the serial port's already");
    if (o->kernel != NULL && o->bios != NULL)
        return bad(p, "-bios: firmware does not load a -kernel; give one of them");
    bool disk = false;
    for (unsigned i = 0; i < OPTIONS_DISKS; i++) {
        disk |= o->disk[i].path != NULL;
        o->disk[i].snapshot |= p->snapshot;
    }
    if (o->kernel == NULL && o->bios == NULL && !disk)
        return bad(p, "-kernel, -hda or -bios FILE is missing; ringone -help lists the options");
    if (o->kernel == NULL && o->bios == NULL)
        o->bios = OPTIONS_BIOS;
    return true;
}

/* getopt's ':' and '?' results, in our words. */
static bool refuse(struct parse *p, int result, char **argv) {
    const char *word = argv[optind - 1];
    if (result == ':')
        return bad(p, "%.100s needs an argument", word);
    const char *name = word + strspn(word, "-");
    size_t n = strcspn(name, "=");
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].argument == NULL && strlen(rows[i].name) == n &&
            strncmp(rows[i].name, name, n) == 0)
            return bad(p, "-%s takes no argument", rows[i].name);
    return bad(p, "unknown option '%.100s'; ringone -help lists the options", word);
}

enum options_result options_parse(int argc, char **argv, struct options *o,
                                  char message[OPTIONS_MESSAGE]) {
    struct option table[ROWS + 1] = {0};
    for (size_t i = 0; i < ROWS; i++)
        table[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
                                   NULL, (int)(i + 256)};
    *o = (struct options){.ram_bytes = RAM_DEFAULT_MIB * MIB,
                          .append = "",
                          .serial.kind = CHR_MON_STDIO,
                          .sandbox = true};
    struct parse p = {.o = o, .message = message};
    message[0] = '\0';
    opterr = 0;
    optind = 0; /* glibc: start over, so that tests may parse more than once */
    int result;
    while ((result = getopt_long_only(argc, argv, "+:", table, NULL)) != -1) {
        if (result < 256) {
            refuse(&p, result, argv);
            return OPTIONS_BAD;
        }
        if (!rows[result - 256].take(&p, optarg))
            return OPTIONS_BAD;
        if (p.help || p.version)
            return p.help ? OPTIONS_HELP : OPTIONS_VERSION;
    }
    if (optind < argc) {
        bad(&p, "'%.100s' is not an option; ringone -help lists the options", argv[optind]);
        return OPTIONS_BAD;
    }
    return check_whole(&p) ? OPTIONS_RUN : OPTIONS_BAD;
}
