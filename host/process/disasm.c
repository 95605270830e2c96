/*
 * Trace lines with guest code (in_asm) and its translation (out_asm). Capstone may use vector
 * registers while the guest's x87/SSE state is live, hence the brackets.
 */
#include <capstone/capstone.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/fpu.h"
#include "host/process/log.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "vmm/vm.h"

enum { PLACE_COLUMN = 44, TEXT_COLUMN = 70, HOST_PLACE_COLUMN = 16, HOST_TEXT_COLUMN = 50 };
enum { INSN_BYTES_MAX = 15, NAMES_PER_LINE = 2 };

#define STRING_OF(x)   #x
#define LIBRARY(major) "libcapstone.so." STRING_OF(major)

/* Loaded when traces are asked for: relocating its tables takes time and memory, and hardly any run
 * needs them. */
static struct {
    cs_err (*open)(cs_arch, cs_mode, csh *);
    cs_insn *(*alloc)(csh);
    bool (*disasm_iter)(csh, const uint8_t **, size_t *, uint64_t *, cs_insn *);
} capstone;

static csh guest32, guest16, host;
static cs_insn *insn;            /* made before the sandbox is shut, used for every line */
static const struct vm *subject; /* whose translations they are */

void log_watch(const struct vm *vm) {
    subject = vm;
}

static bool load_capstone(void) {
    void *library = dlopen(LIBRARY(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return false;
    /* dlsym(3) gives pointers to functions as pointers to data */
    *(void **)&capstone.open = dlsym(library, "cs_open");
    *(void **)&capstone.alloc = dlsym(library, "cs_malloc");
    *(void **)&capstone.disasm_iter = dlsym(library, "cs_disasm_iter");
    return capstone.open && capstone.alloc && capstone.disasm_iter;
}

bool disasm_open(void) {
    return load_capstone() && capstone.open(CS_ARCH_X86, CS_MODE_32, &guest32) == CS_ERR_OK &&
           capstone.open(CS_ARCH_X86, CS_MODE_16, &guest16) == CS_ERR_OK &&
           capstone.open(CS_ARCH_X86, CS_MODE_64, &host) == CS_ERR_OK &&
           (insn = capstone.alloc(host)) != NULL;
}

/* Disassembles one instruction into *insn; one byte that is none becomes "(bad)". Returns its
 * length. */
static size_t decode(csh handle, const uint8_t *code, size_t n, uint64_t address) {
    const uint8_t *next = code;
    if (capstone.disasm_iter(handle, &next, &n, &address, insn))
        return (size_t)(next - code);
    strcpy(insn->mnemonic, "(bad)");
    insn->op_str[0] = '\0';
    return 1;
}

static void add_bytes(struct text *t, const uint8_t *code, size_t n) {
    for (size_t i = 0; i < n && i < INSN_BYTES_MAX; i++)
        text_add(t, "%02x ", code[i]);
}

static void add_instruction(struct text *t, size_t column) {
    text_pad(t, column);
    text_add(t, "%s%s%s", insn->mnemonic, insn->op_str[0] != '\0' ? " " : "", insn->op_str);
}

/* -- guest code -- */

/* Names for the numbers among the operands that are addresses of something known. */
static void add_operand_names(struct text *t) {
    unsigned named = 0;
    for (const char *p = insn->op_str; (p = strstr(p, "0x")) != NULL && named < NAMES_PER_LINE;) {
        size_t before = t->length;
        char *end;
        uint64_t value = strtoull(p, &end, 16);
        p = end > p + 2 ? end : p + 2;
        if (value <= UINT32_MAX)
            symbols_add_place(t, (uint32_t)value);
        named += t->length > before;
    }
}

void log_guest_insns(uint32_t gla, const uint8_t *code, size_t n, bool code32) {
    csh handle = code32 ? guest32 : guest16;
    char line[LOG_LINE_BYTES];
    struct text t;

    fpu_guest_save();
    while (n > 0) {
        size_t length = decode(handle, code, n, gla);
        text_begin(&t, line, sizeof line);
        text_add(&t, "0x%08x", gla);
        symbols_add_place(&t, gla);
        text_add(&t, ":  ");
        text_pad(&t, PLACE_COLUMN);
        add_bytes(&t, code, length);
        add_instruction(&t, TEXT_COLUMN);
        add_operand_names(&t);
        log_line(line);
        code += length;
        gla += (uint32_t)length;
        n -= length;
    }
    fpu_guest_restore();
}

/* -- host code -- */

/* Fields of struct vcpu that translated code uses, for operands such as [r15 + 20h]. */
static const struct {
    size_t offset;
    const char *name;
} fields[] = {
#define FIELD(n)                                                                                   \
    { offsetof(struct vcpu, n), #n }
    {offsetof(struct vcpu, gpr[EAX]), "eax"},
    {offsetof(struct vcpu, gpr[ECX]), "ecx"},
    {offsetof(struct vcpu, gpr[EDX]), "edx"},
    {offsetof(struct vcpu, gpr[EBX]), "ebx"},
    {offsetof(struct vcpu, gpr[ESP]), "esp"},
    {offsetof(struct vcpu, gpr[EBP]), "ebp"},
    {offsetof(struct vcpu, gpr[ESI]), "esi"},
    {offsetof(struct vcpu, gpr[EDI]), "edi"},
    FIELD(eip),
    FIELD(flags),
    FIELD(ifl),
    FIELD(sysflags),
    FIELD(jc_now),
    FIELD(jc_sti),
    FIELD(sti_exits),
    FIELD(exit_slot),
    FIELD(host_rsp),
    FIELD(next_eip),
    FIELD(ea),
    FIELD(val),
    FIELD(scratch),
    FIELD(target),
    FIELD(pushf_fixed),
    FIELD(shadow),
#undef FIELD
};

static void add_field(struct text *t) {
    const char *p = strstr(insn->op_str, "[r15");
    if (p == NULL || (strncmp(p, "[r15 + ", 7) != 0 && strncmp(p, "[r15]", 5) != 0))
        return;
    char *end;
    uint64_t offset = p[4] == ']' ? 0 : strtoull(p + 7, &end, 0);
    if (p[4] != ']' && *end != ']')
        return;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].offset == offset)
            text_add(t, " <v->%s>", fields[i].name);
}

static void add_host_names(struct text *t, uint64_t address, uint64_t size) {
    add_field(t);
    for (const char *p = insn->op_str; (p = strstr(p, "0x")) != NULL;) {
        char *end;
        uint64_t value = strtoull(p, &end, 16);
        p = end > p + 2 ? end : p + 2;
        if (value - address < size)
            text_add(t, " <+0x%" PRIx64 ">", value - address);
        else if (value > UINT32_MAX)
            symbols_add_host_place(t, value);
    }
}

static void trace_host(const uint8_t *code, size_t size, uint64_t start) {
    char line[LOG_LINE_BYTES];
    struct text t;
    uint32_t gla, shown = 0;
    bool any = false;
    text_begin(&t, line, sizeof line);
    text_add(&t, "OUT: [size=%zu]", size);
    log_line(line);
    for (size_t at = 0; at < size;) {
        uint64_t address = start + at;
        if (subject != NULL && bt_guest_place(subject, address, &gla) && (!any || gla != shown)) {
            text_begin(&t, line, sizeof line);
            text_add(&t, "  -- guest addr 0x%08x", gla);
            symbols_add_place(&t, gla);
            log_line(line);
            shown = gla;
            any = true;
        }
        size_t length = decode(host, code + at, size - at, address);
        text_begin(&t, line, sizeof line);
        text_add(&t, "0x%" PRIx64 ":  ", address);
        text_pad(&t, HOST_PLACE_COLUMN);
        add_bytes(&t, code + at, length);
        add_instruction(&t, HOST_TEXT_COLUMN);
        add_host_names(&t, start, size);
        log_line(line);
        at += length;
    }
}

void host_log_host_code(const uint8_t *code, size_t n, uint64_t address) {
    uint32_t gla;
    if (subject != NULL && bt_guest_place(subject, address, &gla) &&
        !dfilter_passes(&log_filter, gla))
        return;
    fpu_guest_save();
    trace_host(code, n, address);
    fpu_guest_restore();
}

/* -- for the ring-0 host -- */

/* Bytes as hexadecimal digits with spaces between. Returns how many. */
static size_t parse_bytes(const char *p, uint8_t code[INSN_BYTES_MAX]) {
    size_t n = 0;
    while (n < INSN_BYTES_MAX) {
        char *end;
        unsigned long byte = strtoul(p, &end, 16);
        if (end == p || byte > UINT8_MAX)
            break;
        code[n++] = (uint8_t)byte;
        p = end;
    }
    return n;
}

void disasm_line(enum disasm_mode mode, char *sent) {
    const csh handles[] = {guest16, guest32, host};
    const char *address = strsep(&sent, "\t");
    const char *place = strsep(&sent, "\t"), *bytes = strsep(&sent, "\t");
    uint8_t code[INSN_BYTES_MAX];
    char line[LOG_LINE_BYTES];
    struct text t;
    size_t n = sent != NULL ? parse_bytes(bytes, code) : 0;
    if (n == 0 || insn == NULL)
        return;
    decode(handles[mode], code, n, strtoull(address, NULL, 16));
    text_begin(&t, line, sizeof line);
    text_add(&t, "%s", place);
    text_pad(&t, mode == DISASM_64 ? HOST_PLACE_COLUMN : PLACE_COLUMN);
    add_bytes(&t, code, n);
    add_instruction(&t, mode == DISASM_64 ? HOST_TEXT_COLUMN : TEXT_COLUMN);
    if (mode == DISASM_64)
        add_field(&t);
    text_add(&t, "%s", sent);
    log_line(line);
}
