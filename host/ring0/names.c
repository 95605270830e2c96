/*
 * Symbol tables of the ring-0 host (names.h). The module comes from the launcher, but a boot loader
 * can be given anything: offsets are checked here, so that lookups need not.
 */
#include "host/ring0/names.h"

#include "host/host.h"
#include "host/process/log.h"
#include "host/process/report.h"
#include "host/process/symbols.h"
#include "host/ring0/console.h"
#include "host/ring0/frames.h"
#include "host/symbol_module.h"
#include "vmm/vm.h"

/* Room for a Linux kernel's own table, as in the process host. */
enum { LIVE_SYMBOLS = 512 << 10, LIVE_NAME_BYTES = 16 << 20, LIVE_MIB = 24, PLENTY = 3 };

struct symbols symbols;

static bool part_is_whole(const struct symbol_module *m, uint64_t size) {
    for (unsigned i = 0; i < SYMBOL_PARTS; i++)
        if (m->part[i].offset % 8 != 0 || m->part[i].offset > size ||
            m->part[i].bytes > size - m->part[i].offset || m->part[i].bytes > UINT32_MAX)
            return false;
    return true;
}

static void *part(struct symbol_module *m, enum symbol_part n) {
    return (uint8_t *)m + m->part[n].offset;
}

/* Whether the part is strings, or empty. */
static bool is_text(struct symbol_module *m, enum symbol_part n) {
    uint64_t bytes = m->part[n].bytes;
    return bytes == 0 || ((const char *)part(m, n))[bytes - 1] == '\0';
}

static bool take_table(struct symbol_module *m, enum symbol_part n, struct symtab *t) {
    uint32_t bytes = (uint32_t)m->part[n + 1].bytes;
    *t = (struct symtab){.symbols = part(m, n),
                         .count = (uint32_t)(m->part[n].bytes / sizeof(struct symbol)),
                         .strings = part(m, n + 1),
                         .strings_used = bytes,
                         .strings_size = bytes};
    bool good = is_text(m, n + 1);
    for (uint32_t i = 0; i < t->count && good; i++)
        good = t->symbols[i].name < bytes;
    if (!good)
        *t = (struct symtab){.count = 0};
    return good;
}

static bool take_lines(struct symbol_module *m, struct lines *l) {
    *l = (struct lines){.entries = part(m, PART_LINES),
                        .count = m->part[PART_LINES].bytes / sizeof(struct line_entry),
                        .names = part(m, PART_LINE_NAMES),
                        .names_used = m->part[PART_LINE_NAMES].bytes};
    bool good = is_text(m, PART_LINE_NAMES);
    for (size_t i = 0; i < l->count && good; i++)
        good = l->entries[i].line == 0 || l->entries[i].file < l->names_used;
    if (!good)
        *l = (struct lines){.count = 0};
    return good;
}

const char *names_take(void *module, uint64_t size) {
    struct symbol_module *m = module;

    if (size < sizeof *m || memcmp(m->magic, SYMBOL_MODULE_MAGIC, sizeof m->magic) != 0 ||
        !part_is_whole(m, size) || !take_table(m, PART_FILE_SYMBOLS, &symbols.file) ||
        !take_table(m, PART_OWN_SYMBOLS, &symbols.own) || !take_lines(m, &symbols.lines))
        return "the symbol module is damaged";
    return NULL;
}

void names_watch(const struct vm *vm) {
    if (frames_spare() < (uint64_t)PLENTY * LIVE_MIB * (1 << 20) / FRAME_BYTES ||
        !symtab_create(&symbols.live, LIVE_SYMBOLS, LIVE_NAME_BYTES))
        symbols.live = (struct symtab){.count = 0};
    symbols_watch(vm);
    log_watch(vm);
}

void names_forget(void) {
    symbols_forget();
}

void names_say_triple_fault(const struct vm *vm) {
    const struct vcpu *v = &vm->vcpu;
    char line[256];
    struct text t;

    text_begin(&t, line, sizeof line);
    text_add(&t, "ringone: guest triple fault at %04x:%08x", v->seg[SEG_CS].sel, v->eip);
    symbols_add_place(&t, v->seg[SEG_CS].base + v->eip);
    console_print("%s\n", line);
    if (LOG_ON(LOG_GUEST_ERRORS))
        report_triple_fault(v);
}
