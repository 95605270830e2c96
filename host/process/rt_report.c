/*
 * Where the guest is (report.h).
 */
#include "host/process/report.h"

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/guest_stack.h"
#include "host/process/log.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "mmu/mmu.h"
#include "vmm/vcpu.h"

enum {
    LINE_BYTES = 512,
    CODE_BYTES = 16,
    RECENT_READ = 64,  /* all that bt_recent has */
    RECENT_SHOWN = 24, /* lines; one for several turns through the same block */
    FRAMES_MAX = 32,
    STACK_WORDS = 1024, /* how much of the stack is looked at for return addresses */
};

static void say(report_sink sink, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(report_sink sink, const char *fmt, ...) {
    char line[LINE_BYTES];
    struct text t;
    va_list ap;
    va_start(ap, fmt);
    text_begin(&t, line, sizeof line);
    text_vadd(&t, fmt, ap);
    va_end(ap);
    sink(line);
}

/* One line with an address and its name. */
static void say_place(report_sink sink, const char *what, uint32_t gla,
                      void (*add_name)(struct text *t, uint32_t gla)) {
    char line[LINE_BYTES];
    struct text t;
    text_begin(&t, line, sizeof line - 1);
    text_add(&t, "  %s%08x", what, gla);
    add_name(&t, gla);
    line[t.length] = '\n';
    line[t.length + 1] = '\0';
    sink(line);
}

void report_registers(const struct vcpu *v, report_sink sink) {
    static const char *const segs[SEG_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    const uint32_t *g = v->gpr;
    char line[LINE_BYTES];
    struct text t;
    say(sink, "EAX=%08x EBX=%08x ECX=%08x EDX=%08x\n", g[EAX], g[EBX], g[ECX], g[EDX]);
    say(sink, "ESI=%08x EDI=%08x EBP=%08x ESP=%08x\n", g[ESI], g[EDI], g[EBP], g[ESP]);
    text_begin(&t, line, sizeof line - 1);
    text_add(&t, "EIP=%08x EFL=%08x CPL=%u HLT=%u", v->eip, vcpu_eflags(v), v->cpl, v->halted);
    symbols_add_place(&t, v->seg[SEG_CS].base + v->eip);
    text_add(&t, "\n");
    sink(line);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        say(sink, "%s =%04x %08x %08x %04x\n", segs[i], v->seg[i].sel, v->seg[i].base,
            v->seg[i].limit, v->seg[i].attr);
    say(sink, "LDT=%04x %08x %08x %04x\n", v->ldtr.sel, v->ldtr.base, v->ldtr.limit, v->ldtr.attr);
    say(sink, "TR =%04x %08x %08x %04x\n", v->tr.sel, v->tr.base, v->tr.limit, v->tr.attr);
    say(sink, "GDT=     %08x %08x\nIDT=     %08x %08x\n", v->gdtr.base, v->gdtr.limit, v->idtr.base,
        v->idtr.limit);
    say(sink, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x EFER=%08x\n", v->cr0, v->cr2, v->cr3, v->cr4,
        (uint32_t)v->efer);
    if (v->exc.pending)
        say(sink, "pending exception %02x error %04x CR2 %08x\n", v->exc.vector, v->exc.error,
            v->exc.cr2);
}

void report_code(const struct vcpu *v, report_sink sink) {
    uint8_t code[CODE_BYTES];
    char line[LINE_BYTES];
    struct text t;
    uint32_t n = mmu_peek(v, v->seg[SEG_CS].base + v->eip, code, sizeof code);
    text_begin(&t, line, sizeof line);
    text_add(&t, "Code=");
    for (uint32_t i = 0; i < n; i++)
        text_add(&t, "%02x ", code[i]);
    text_add(&t, "%s\n", n == 0 ? "not mapped" : "");
    sink(line);
}

void report_recent_blocks(const struct vcpu *v, report_sink sink) {
    gla_t recent[RECENT_READ];
    unsigned n = bt_recent(v->vm, recent, RECENT_READ), shown = 0;
    say(sink, "last blocks dispatched, newest first (those that blocks jump to directly are not "
              "seen):\n");
    for (unsigned i = 0; i < n && shown < RECENT_SHOWN; shown++) {
        char times[16] = "";
        struct text t;
        unsigned same = 1;
        while (i + same < n && recent[i + same] == recent[i])
            same++;
        text_begin(&t, times, sizeof times);
        if (same > 1)
            text_add(&t, "%u times ", same);
        say_place(sink, times, recent[i], symbols_add_place);
        i += same;
    }
}

/* -- the call chain -- */

static bool is_return_address(const struct vcpu *v, uint32_t word) {
    struct symbol_place place;
    return symbols_find(word - 1, &place) && guest_stack_behind_call(v, word);
}

/* A function that has not built its frame yet, or never does, has its return address on top of the
 * stack, or below the EBP that it has just saved there. */
static void report_leaf(const struct vcpu *v, report_sink sink) {
    uint32_t word[2];
    if (mmu_peek(v, v->seg[SEG_SS].base + v->gpr[ESP], word, sizeof word) != sizeof word)
        return;
    uint32_t caller = word[0] == v->gpr[EBP] ? word[1] : word[0];
    if (v->gpr[EBP] != v->gpr[ESP] && is_return_address(v, v->seg[SEG_CS].base + caller))
        say_place(sink, "? ", v->seg[SEG_CS].base + caller, symbols_add_return);
}

/* Returns the stack address that the chain has reached. */
static uint32_t report_frames(const struct vcpu *v, report_sink sink) {
    uint32_t callers[FRAMES_MAX], reached = v->gpr[ESP];
    unsigned n = guest_stack_walk(v, v->gpr[EBP], &reached, callers, FRAMES_MAX - 1);
    for (unsigned i = 0; i < n; i++)
        say_place(sink, "", callers[i], symbols_add_return);
    return reached;
}

/* Words from `from` upwards that are return addresses into known functions. */
static void report_stack(const struct vcpu *v, uint32_t from, report_sink sink) {
    uint32_t base = v->seg[SEG_SS].base;
    unsigned shown = 0;
    from &= ~3u;
    for (uint32_t i = 0; i < STACK_WORDS && shown < FRAMES_MAX; i++) {
        uint32_t word;
        if (mmu_peek(v, base + from + 4 * i, &word, sizeof word) != sizeof word)
            return;
        if (!is_return_address(v, v->seg[SEG_CS].base + word))
            continue;
        say_place(sink, "? ", v->seg[SEG_CS].base + word, symbols_add_return);
        shown++;
    }
}

void report_backtrace(const struct vcpu *v, report_sink sink) {
    say(sink, "guest backtrace by frame pointers (?: a word on the stack, perhaps left over):\n");
    say_place(sink, "", v->seg[SEG_CS].base + v->eip, symbols_add_place);
    report_leaf(v, sink);
    report_stack(v, report_frames(v, sink), sink);
}

/* -- the guest's own ends -- */

static bool same(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

/* The text at gla as far as it can be shown. */
static void peek_text(const struct vcpu *v, uint32_t gla, char *out, uint32_t size) {
    uint32_t n = mmu_peek(v, gla, out, size - 1);
    uint32_t length = 0;
    while (length < n && out[length] >= ' ' && out[length] <= '~')
        length++;
    out[length] = '\0';
}

void report_guest_panic(const struct vcpu *v, uint32_t gla) {
    struct symbol_place place;
    char format[128] = "";
    uint32_t argument;
    if (v->cpl != 0 || !symbols_find(gla, &place) || place.offset != 0)
        return;
    if (same(place.name, "panic")) { /* takes a format and its values on the stack */
        if (mmu_peek(v, v->gpr[ESP] + 4, &argument, sizeof argument) == sizeof argument)
            peek_text(v, argument, format, sizeof format);
        say(log_line, "guest_errors: guest kernel panics: \"%s\"\n", format);
    } else if (same(place.name, "oops_enter")) {
        say(log_line, "guest_errors: guest kernel has an oops\n");
    } else {
        return;
    }
    report_backtrace(v, log_line);
}

void report_triple_fault(const struct vcpu *v) {
    say(log_line, "guest_errors: triple fault\n");
    report_registers(v, log_line);
    report_code(v, log_line);
    report_recent_blocks(v, log_line);
    report_backtrace(v, log_line);
}
