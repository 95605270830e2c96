/*
 * Trace lines (log.h, host/process/log.h).
 *
 * What code there is, and the names in it, are known here; its text is the launcher's to make. So
 * an instruction goes there as address, place, bytes and names, with tabs between.
 */
#include "host/ring0/log.h"

#include <Zydis/Decoder.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/log.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "host/ring0/channel.h"
#include "host/ring0/console.h"
#include "vmm/vm.h"

enum { NAMES_PER_LINE = 2 };
enum mode { CODE16, CODE32, CODE64, MODES };

static const struct vm *subject;
static ZydisDecoder decoders[MODES];

const char *log_start(uint32_t mask, const char *filter) {
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth width;
    } modes[MODES] = {{ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
                      {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
                      {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64}};
    static char message[OPTIONS_MESSAGE];

    for (unsigned i = 0; i < MODES; i++)
        ZydisDecoderInit(&decoders[i], modes[i].mode, modes[i].width);
    host_log_mask = mask;
    return !filter || dfilter_parse(&log_filter, filter, message) ? NULL : message;
}

void log_watch(const struct vm *vm) {
    subject = vm;
}

void log_line(const char *line) {
    if (channel_is_open()) {
        channel_line(CHANNEL_TRACE, line);
        return;
    }
    char last = '\0';
    for (const char *p = line; *p != '\0'; p++)
        last = *p;
    console_print(last == '\n' ? "%s" : "%s\n", line);
}

/* What an instruction's operands say: immediates, displacements, where it jumps to. */
struct numbers {
    size_t length; /* of the instruction; 1 where there is none */
    uint64_t value[3];
    unsigned count;
};

static void decode(enum mode mode, const uint8_t *code, size_t n, uint64_t address,
                   struct numbers *out) {
    ZydisDecodedInstruction z;

    *out = (struct numbers){.length = 1};
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoders[mode], NULL, code, n, &z)))
        return;
    out->length = z.length;
    for (unsigned i = 0; i < 2; i++)
        if (z.raw.imm[i].size != 0)
            out->value[out->count++] = z.raw.imm[i].is_relative
                                           ? address + z.length + (uint64_t)z.raw.imm[i].value.s
                                           : z.raw.imm[i].value.u;
    if (z.raw.disp.size != 0) {
        bool relative = mode == CODE64 && z.raw.modrm.mod == 0 && z.raw.modrm.rm == 5;
        out->value[out->count++] = (uint64_t)z.raw.disp.value + (relative ? address + z.length : 0);
    }
}

/* One instruction, with the names behind `names`. */
static void code_line(enum mode mode, uint64_t address, const char *place, const uint8_t *code,
                      size_t n, const char *names) {
    static const enum channel_kind kinds[MODES] = {CHANNEL_CODE16, CHANNEL_CODE32, CHANNEL_CODE64};
    bool open = channel_is_open();
    char line[2 * LOG_LINE_BYTES];
    struct text t;

    text_begin(&t, line, sizeof line);
    if (open)
        text_add(&t, "%llx\t", (unsigned long long)address);
    text_add(&t, open ? "%s\t" : "%s  ", place);
    for (size_t i = 0; i < n; i++)
        text_add(&t, "%02x ", code[i]);
    text_add(&t, open ? "\t%s" : "%s", names);
    if (open)
        channel_line(kinds[mode], line);
    else
        log_line(line);
}

/* -- guest code -- */

static void add_operand_names(struct text *t, const struct numbers *numbers) {
    unsigned named = 0;

    for (unsigned i = 0; i < numbers->count && named < NAMES_PER_LINE; i++) {
        size_t before = t->length;
        symbols_add_place(t, (uint32_t)numbers->value[i]);
        named += t->length > before;
    }
}

void log_guest_insns(uint32_t gla, const uint8_t *code, size_t n, bool code32) {
    enum mode mode = code32 ? CODE32 : CODE16;
    char line[LOG_LINE_BYTES], names[LOG_LINE_BYTES];
    struct text t;

    while (n > 0) {
        struct numbers numbers;
        decode(mode, code, n, gla, &numbers);
        text_begin(&t, line, sizeof line);
        text_add(&t, "0x%08x", gla);
        symbols_add_place(&t, gla);
        text_add(&t, ":  ");
        text_begin(&t, names, sizeof names);
        add_operand_names(&t, &numbers);
        code_line(mode, gla, line, code, numbers.length, names);
        code += numbers.length;
        gla += (uint32_t)numbers.length;
        n -= numbers.length;
    }
}

/* -- host code -- */

static void add_host_names(struct text *t, const struct numbers *numbers, uint64_t start,
                           uint64_t size) {
    for (unsigned i = 0; i < numbers->count; i++) {
        uint64_t value = numbers->value[i];
        if (value - start < size)
            text_add(t, " <+0x%llx>", (unsigned long long)(value - start));
        else if (value > UINT32_MAX)
            symbols_add_host_place(t, value);
    }
}

void host_log_host_code(const uint8_t *code, size_t n, uint64_t address) {
    char line[LOG_LINE_BYTES], names[LOG_LINE_BYTES];
    struct text t;
    uint32_t gla, shown = 0;
    bool any = false;

    if (subject && bt_guest_place(subject, address, &gla) && !dfilter_passes(&log_filter, gla))
        return;
    text_begin(&t, line, sizeof line);
    text_add(&t, "OUT: [size=%zu]", n);
    log_line(line);
    for (size_t at = 0; at < n;) {
        struct numbers numbers;
        uint64_t here = address + at;
        if (subject && bt_guest_place(subject, here, &gla) && (!any || gla != shown)) {
            text_begin(&t, line, sizeof line);
            text_add(&t, "  -- guest addr 0x%08x", gla);
            symbols_add_place(&t, gla);
            log_line(line);
            shown = gla;
            any = true;
        }
        decode(CODE64, code + at, n - at, here, &numbers);
        text_begin(&t, line, sizeof line);
        text_add(&t, "0x%llx:  ", (unsigned long long)here);
        text_begin(&t, names, sizeof names);
        add_host_names(&t, &numbers, address, n);
        code_line(CODE64, here, line, code + at, numbers.length, names);
        at += numbers.length;
    }
}
