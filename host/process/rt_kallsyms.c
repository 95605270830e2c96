/*
 * Reading a Linux kernel's own symbol table (kallsyms.h).
 *
 * The search starts at the one part that looks the same in every kernel: the tokens for the digits,
 * which all kernels use in names, stand one behind the other in the token table. The token index
 * confirms it; the markers lie below, directly or with one sequence number for each symbol between,
 * and give the number of symbols to within 256; the names end where the markers begin, and must fit
 * num_syms, all markers, and that end.
 */
#include "host/process/kallsyms.h"

#include "host/host.h"

enum {
    TOKENS = 256,
    TOKEN_BYTES_MAX = 512, /* the longest name a kernel may have */
    SYMBOLS_PER_MARKER = 256,
    SYMBOLS_MAX = 1 << 20,
    NAME_BYTES_MAX = 512,
    /* Steps that one search may take beyond looking at each byte once. The real thing takes about
     * ten for each symbol. */
    WORK_MAX = 100 << 20,
};

/* "0", "1", ... "9", without the last NUL */
static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
enum { DIGITS_BYTES = sizeof digits - 1 };

struct search {
    const uint8_t *memory;
    size_t size;
    uint32_t work; /* steps left */
    /* offsets in memory */
    size_t tokens, index, markers, names, num_syms, addresses, base;
    uint32_t count, marker_count;
    bool relative;
};

static uint32_t load32(const struct search *s, size_t at) {
    uint32_t value;
    memcpy(&value, s->memory + at, sizeof value);
    return value;
}

static uint32_t load16(const struct search *s, size_t at) {
    uint16_t value;
    memcpy(&value, s->memory + at, sizeof value);
    return value;
}

static size_t align(size_t at) {
    return (at + 3) & ~(size_t)3;
}

/* Takes n steps off what is left. False: too many. */
static bool spend(struct search *s, uint32_t n) {
    if (s->work < n) {
        s->work = 0;
        return false;
    }
    s->work -= n;
    return true;
}

/* The next place at or behind `at` where the digits' tokens stand; s->size: none. */
static size_t find_digits(const struct search *s, size_t at) {
    while (s->size >= DIGITS_BYTES && at <= s->size - DIGITS_BYTES) {
        const uint8_t *p = s->memory + at;
        uint8_t last = p[DIGITS_BYTES - 1];
        if (last == '9' && memcmp(p, digits, DIGITS_BYTES) == 0)
            return at;
        /* every other byte of the pattern is NUL, and each digit is there once */
        if (last >= '0' && last <= '8')
            at += 2 * (size_t)('9' - last);
        else if (last == '\0' && p[DIGITS_BYTES - 2] != '\0')
            at += 1;
        else
            at += DIGITS_BYTES;
    }
    return s->size;
}

/* Moves *at behind the string there. */
static bool skip_string(struct search *s, size_t *at) {
    size_t end = *at;
    while (end < s->size && s->memory[end] != '\0' && end - *at <= TOKEN_BYTES_MAX)
        end++;
    if (end >= s->size || s->memory[end] != '\0' || !spend(s, (uint32_t)(end - *at)))
        return false;
    *at = end + 1;
    return true;
}

/* The 256 strings around token '0' at `zero`, and their index behind them, which tells where the
 * first begins. */
static bool take_tokens(struct search *s, size_t zero) {
    size_t at = zero;
    for (unsigned n = '0'; n < TOKENS; n++)
        if (!skip_string(s, &at))
            return false;
    size_t index = align(at);
    if (index > s->size || s->size - index < 2 * TOKENS)
        return false;
    uint32_t back = load16(s, index + 2 * '0');
    if (back > zero || (zero - back) % 4 != 0)
        return false;
    s->tokens = at = zero - back;
    s->index = index;
    for (unsigned n = 0; n < TOKENS; n++)
        if (load16(s, index + 2 * (size_t)n) != at - s->tokens || !skip_string(s, &at))
            return false;
    return align(at) == index;
}

/* Length and place of the name at *at; moves *at behind it. False: it reaches beyond end. */
static bool next_name(const struct search *s, size_t *at, size_t end, size_t *tokens,
                      uint32_t *length) {
    size_t p = *at;
    if (p >= end)
        return false;
    uint32_t n = s->memory[p++];
    if (n & 0x80) {
        if (p >= end)
            return false;
        n = (n & 0x7f) | (uint32_t)s->memory[p++] << 7;
    }
    if (n == 0 || n > NAME_BYTES_MAX || n > end - p)
        return false;
    *tokens = p;
    *length = n;
    *at = p + n;
    return true;
}

/* Whether names that start there, count of them, agree with all markers and end at them. */
static bool names_fit(struct search *s, size_t names, uint32_t count) {
    size_t at = names, tokens;
    uint32_t length;
    for (uint32_t i = 0; i < count; i++) {
        if (i % SYMBOLS_PER_MARKER == 0 &&
            load32(s, s->markers + 4 * (size_t)(i / SYMBOLS_PER_MARKER)) != at - names)
            return false;
        if (!spend(s, 1) || !next_name(s, &at, s->markers, &tokens, &length))
            return false;
    }
    return align(at) == s->markers;
}

/* num_syms and the names below the markers. */
static bool take_names(struct search *s) {
    uint32_t most = s->marker_count * SYMBOLS_PER_MARKER;
    uint32_t last = load32(s, s->markers + 4 * (size_t)(s->marker_count - 1));
    /* the names behind the last marker are at least one and at most 256 */
    size_t reach = (size_t)SYMBOLS_PER_MARKER * (NAME_BYTES_MAX + 2) + 4;
    if (last > s->markers)
        return false;
    for (size_t names = (s->markers - last) & ~(size_t)3; names >= 4; names -= 4) {
        if (s->markers - last - names > reach || !spend(s, 1))
            return false;
        uint32_t count = load32(s, names - 4);
        if (count <= most && count > most - SYMBOLS_PER_MARKER && names_fit(s, names, count)) {
            s->names = names;
            s->num_syms = names - 4;
            s->count = count;
            return true;
        }
    }
    return false;
}

static bool ascending(struct search *s, size_t at) {
    for (uint32_t i = 1; i < s->count; i++)
        if (!spend(s, 1) || load32(s, at + 4 * (size_t)i) < load32(s, at + 4 * (size_t)i - 4))
            return false;
    return true;
}

/* Offsets from the word at base, or addresses. */
static bool try_addresses(struct search *s, size_t at, size_t base, bool relative) {
    if (!ascending(s, at))
        return false;
    uint32_t low = load32(s, at), high = load32(s, at + 4 * (size_t)(s->count - 1));
    /* offsets begin at the lowest symbol, and may not pass 4 GiB; addresses are a kernel's */
    if (relative ? low != 0 || load32(s, base) > UINT32_MAX - high : low < 0x100000)
        return false;
    s->addresses = at;
    s->base = base;
    s->relative = relative;
    return true;
}

static bool take_addresses(struct search *s) {
    size_t bytes = 4 * (size_t)s->count;
    size_t behind = s->index + 2 * TOKENS;
    if (s->num_syms >= bytes + 4 &&
        try_addresses(s, s->num_syms - 4 - bytes, s->num_syms - 4, true))
        return true;
    if (behind <= s->size && s->size - behind >= bytes + 4 &&
        try_addresses(s, behind, behind + bytes, true))
        return true;
    return s->num_syms >= bytes && try_addresses(s, s->num_syms - bytes, 0, false);
}

/* Whether n words from there ascend from 0, as markers do. */
static bool are_markers(struct search *s, size_t at, uint32_t n) {
    uint32_t last = load32(s, at);
    if (last != 0)
        return false;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t marker = load32(s, at + 4 * (size_t)i);
        if (marker <= last || !spend(s, 1))
            return false;
        last = marker;
    }
    return true;
}

/* Names and addresses, given n markers from there. */
static bool take_rest(struct search *s, size_t markers, uint32_t n) {
    s->markers = markers;
    s->marker_count = n;
    return take_names(s) && take_addresses(s);
}

/* The markers end at the token table. */
static bool take_markers_below_tokens(struct search *s) {
    uint32_t above = UINT32_MAX;
    size_t at = s->tokens;
    for (uint32_t n = 1; n <= SYMBOLS_MAX / SYMBOLS_PER_MARKER; n++) {
        if (at < 4 || !spend(s, 1))
            return false;
        at -= 4;
        uint32_t marker = load32(s, at);
        if (marker >= above)
            return false;
        above = marker;
        if (marker == 0)
            return take_rest(s, at, n);
    }
    return false;
}

/* Sequence numbers of the given width, one for each symbol, are between them. */
static bool take_markers_below_sequence(struct search *s, unsigned width) {
    for (size_t gap = 4; gap <= (size_t)width * SYMBOLS_MAX; gap += 4) {
        uint32_t count = (uint32_t)(gap / width);
        uint32_t n = (count + SYMBOLS_PER_MARKER - 1) / SYMBOLS_PER_MARKER;
        size_t bytes = 4 * (size_t)n;
        if (s->tokens < gap + bytes || !spend(s, 1))
            return false;
        size_t markers = s->tokens - gap - bytes;
        if (are_markers(s, markers, n) && take_rest(s, markers, n))
            return true;
    }
    return false;
}

/* Spells out the name. Returns how many characters. */
static size_t spell(const struct search *s, size_t tokens, uint32_t length,
                    char out[NAME_BYTES_MAX]) {
    size_t n = 0;
    for (uint32_t i = 0; i < length; i++) {
        size_t at = s->tokens + load16(s, s->index + 2 * (size_t)s->memory[tokens + i]);
        /* take_tokens has seen a NUL behind every token */
        for (; s->memory[at] != '\0' && n < NAME_BYTES_MAX; at++)
            out[n++] = (char)s->memory[at];
    }
    return n;
}

static enum symbol_rank rank_of(char type) {
    switch (type) {
    case 'T':
    case 'W':
        return SYMBOL_FUNCTION;
    case 't':
    case 'w':
        return SYMBOL_LOCAL_FUNCTION;
    default:
        return SYMBOL_OTHER;
    }
}

static bool fill(struct search *s, struct symtab *t) {
    size_t at = s->names, tokens = 0;
    uint32_t length = 0;
    symtab_clear(t);
    for (uint32_t i = 0; i < s->count; i++) {
        char name[NAME_BYTES_MAX];
        uint32_t address = load32(s, s->addresses + 4 * (size_t)i);
        if (s->relative)
            address += load32(s, s->base);
        if (!next_name(s, &at, s->markers, &tokens, &length))
            break;
        size_t n = spell(s, tokens, length, name);
        if (n < 2 || !spend(s, (uint32_t)n + length)) /* a type and nothing else */
            break;
        if (!symtab_add(t, address, name + 1, n - 1, rank_of(name[0])))
            break;
        if (i + 1 == s->count) {
            symtab_seal(t);
            return true;
        }
    }
    symtab_clear(t);
    return false;
}

static bool has(const struct symtab *t, uint32_t address) {
    const struct symbol *s = symtab_find(t, address);
    return s != NULL && s->address == address;
}

bool kallsyms_extract(const uint8_t *memory, size_t size, uint32_t known, struct symtab *t,
                      struct kallsyms_seal *seal) {
    struct search s = {.memory = memory, .size = size, .work = WORK_MAX};
    symtab_clear(t);
    for (size_t at = 0; s.work > 0; at++) {
        at = find_digits(&s, at);
        if (at >= size)
            break;
        if (!spend(&s, TOKENS) || !take_tokens(&s, at))
            continue;
        if (!take_markers_below_tokens(&s) && !take_markers_below_sequence(&s, 3) &&
            !take_markers_below_sequence(&s, 4))
            continue;
        if (!fill(&s, t))
            continue;
        if (!has(t, known)) {
            symtab_clear(t);
            continue;
        }
        size_t other = s.relative ? s.base : s.addresses;
        *seal = (struct kallsyms_seal){{s.num_syms, other}, {s.count, load32(&s, other)}};
        return true;
    }
    return false;
}

bool kallsyms_intact(const uint8_t *memory, size_t size, const struct kallsyms_seal *seal) {
    for (unsigned i = 0; i < 2; i++) {
        if (size < 4 || seal->at[i] > size - 4)
            return false;
        uint32_t value;
        memcpy(&value, memory + seal->at[i], sizeof value);
        if (value != seal->value[i])
            return false;
    }
    return true;
}
