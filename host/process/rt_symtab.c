/*
 * Symbols by address (symtab.h).
 */
#include "host/process/symtab.h"

#include "host/host.h"

bool symtab_create(struct symtab *t, uint32_t capacity, uint32_t strings_size) {
    *t = (struct symtab){.capacity = capacity, .strings_size = strings_size};
    if (capacity == 0)
        return true;
    t->symbols = host_alloc(capacity * sizeof *t->symbols);
    t->strings = host_alloc(strings_size);
    return t->symbols != NULL && t->strings != NULL;
}

void symtab_clear(struct symtab *t) {
    t->count = t->strings_used = 0;
}

bool symtab_add(struct symtab *t, uint64_t address, const char *name, size_t n,
                enum symbol_rank rank) {
    if (t->count == t->capacity || n >= t->strings_size - t->strings_used)
        return false;
    char *out = t->strings + t->strings_used;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(name[i] > ' ' && name[i] <= '~' ? name[i] : '?');
    out[n] = '\0';
    t->symbols[t->count++] =
        (struct symbol){.address = address, .name = t->strings_used, .rank = (uint8_t)rank};
    t->strings_used += (uint32_t)n + 1;
    return true;
}

/* By address, then rank, then the order they came in (that of their names in strings). */
static bool before(const struct symbol *a, const struct symbol *b) {
    if (a->address != b->address)
        return a->address < b->address;
    return a->rank != b->rank ? a->rank < b->rank : a->name < b->name;
}

static void swap(struct symbol *a, struct symbol *b) {
    struct symbol keep = *a;
    *a = *b;
    *b = keep;
}

/* Restores the heap order (largest on top) of s[0, n) below i. */
static void sift_down(struct symbol *s, uint32_t i, uint32_t n) {
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(&s[child], &s[child + 1]))
            child++;
        if (!before(&s[i], &s[child]))
            return;
        swap(&s[i], &s[child]);
        i = child;
    }
}

void symtab_seal(struct symtab *t) {
    struct symbol *s = t->symbols;
    bool sorted = true;
    for (uint32_t i = 1; i < t->count && sorted; i++)
        sorted = before(&s[i - 1], &s[i]);
    if (!sorted) {
        for (uint32_t i = t->count / 2; i > 0; i--)
            sift_down(s, i - 1, t->count);
        for (uint32_t n = t->count; n > 1; n--) {
            swap(&s[0], &s[n - 1]);
            sift_down(s, 0, n - 1);
        }
    }
}

/* How many symbols lie below the address. */
static uint32_t count_below(const struct symtab *t, uint64_t address) {
    uint32_t low = 0, high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->symbols[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct symbol *symtab_find(const struct symtab *t, uint64_t address) {
    uint32_t n = count_below(t, address);
    if (n < t->count && t->symbols[n].address == address)
        return &t->symbols[n];
    if (n == 0 || address - t->symbols[n - 1].address >= SYMBOL_REACH)
        return NULL;
    /* of several at one address the first */
    return &t->symbols[count_below(t, t->symbols[n - 1].address)];
}

static bool same(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

bool symtab_address(const struct symtab *t, const char *name, uint64_t *address) {
    for (uint32_t i = 0; i < t->count; i++) {
        if (same(symtab_name(t, &t->symbols[i]), name)) {
            *address = t->symbols[i].address;
            return true;
        }
    }
    return false;
}
