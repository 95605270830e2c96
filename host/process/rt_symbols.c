/*
 * Names for addresses (symbols.h).
 *
 * The guest's own table is looked for in the memory around its first exception handler, which is
 * part of the kernel's text, and is believed only if it has a symbol at exactly that handler: after
 * a restart the table of the kernel before may still lie about. The handler is there once the
 * kernel runs where it will stay.
 */
#include "host/host.h"
#include "host/process/symbols.h"

#include "bt/bt.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

/* How far from the handler the tables may be: a kernel's image is contiguous. */
static const uint64_t reach_below = 32 << 20, reach_above = 48 << 20;
/* A search takes some 50 ms and fails for guests other than Linux. */
static const uint64_t retry_first_ns = 250000000, retry_last_ns = 60000000000;

static const struct vm *subject;
static volatile bool changing; /* symbols.live is */

void symbols_watch(const struct vm *vm) {
    subject = vm;
}

void symbols_forget(void) {
    symtab_clear(&symbols.live);
    symbols.slide = 0;
    symbols.retry_ns = 0;
    symbols.retry_after = retry_first_ns;
}

/* Where the guest's handler of exception 0 is (SDM vol. 3A section 6.11). */
static bool first_handler(const struct vcpu *v, gla_t *gla, gpa_t *gpa) {
    uint32_t gate[2];
    struct gwalk w;
    bool accessed;
    if (!(v->cr0 & CR0_PE) || !(v->cr0 & CR0_PG) || v->idtr.limit < sizeof gate - 1 ||
        mmu_peek(v, v->idtr.base, gate, sizeof gate) != sizeof gate)
        return false;
    if ((gate[1] & 0x9f00) != 0x8e00 && (gate[1] & 0x9f00) != 0x8f00) /* 32-bit gate, present */
        return false;
    *gla = (gate[1] & 0xffff0000) | (gate[0] & 0xffff);
    if (!gwalk_peek(v, *gla, MMU_R, &w, &accessed))
        return false;
    *gpa = w.gpa;
    return memmap_ptr(&v->vm->mem, *gpa) != NULL;
}

/* The memory around gpa without holes. */
static void stretch(const struct memmap *m, gpa_t gpa, uint64_t *start, uint64_t *size) {
    uint64_t low = gpa & ~(uint64_t)(PAGE_SIZE - 1), high = low;
    while (low > 0 && gpa - low < reach_below && memmap_ptr(m, low - PAGE_SIZE) != NULL)
        low -= PAGE_SIZE;
    while (high - gpa + PAGE_SIZE < reach_above + PAGE_SIZE && memmap_ptr(m, high) != NULL)
        high += PAGE_SIZE;
    *start = low;
    *size = high - low;
}

/* How far the kernel runs from where it was linked. */
static void find_slide(void) {
    static const char *const names[] = {"_text", "_stext", "startup_32", "start_kernel"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t linked, running;
        if (symtab_address(&symbols.file, names[i], &linked) &&
            symtab_address(&symbols.live, names[i], &running)) {
            symbols.slide = (uint32_t)(running - linked);
            return;
        }
    }
}

static void look_for_live(void) {
    const struct vcpu *v = &subject->vcpu;
    gla_t handler;
    gpa_t gpa;
    uint64_t now = host_clock_ns();
    if (now < symbols.retry_ns || !first_handler(v, &handler, &gpa))
        return;
    stretch(&subject->mem, gpa, &symbols.memory, &symbols.memory_size);
    if (kallsyms_extract(subject->mem.ram + symbols.memory, symbols.memory_size, handler,
                         &symbols.live, &symbols.seal)) {
        find_slide();
        return;
    }
    if (symbols.retry_after < retry_first_ns)
        symbols.retry_after = retry_first_ns;
    symbols.retry_ns = now + symbols.retry_after;
    if (symbols.retry_after < retry_last_ns)
        symbols.retry_after *= 2;
}

static void update_live(void) {
    if (subject == NULL || subject->mem.ram == NULL || symbols.live.capacity == 0)
        return;
    changing = true;
    __asm__ volatile("" ::: "memory");
    if (symbols.live.count > 0 &&
        !kallsyms_intact(subject->mem.ram + symbols.memory, symbols.memory_size, &symbols.seal))
        symbols_forget();
    if (symbols.live.count == 0)
        look_for_live();
    __asm__ volatile("" ::: "memory");
    changing = false;
}

void symbols_learn(void) {
    if (symbols.file.count == 0 && symbols.live.count == 0)
        update_live();
}

static bool find_in(const struct symtab *t, uint64_t address, struct symbol_place *out) {
    const struct symbol *s = symtab_find(t, address);
    if (s == NULL)
        return false;
    *out = (struct symbol_place){.name = symtab_name(t, s),
                                 .offset = (uint32_t)(address - s->address)};
    return true;
}

bool symbols_find(uint32_t gla, struct symbol_place *out) {
    update_live();
    if (!find_in(&symbols.file, (uint32_t)(gla - symbols.slide), out) &&
        !find_in(&symbols.live, gla, out))
        return false;
    out->file = lines_find(&symbols.lines, gla - symbols.slide, &out->line);
    return true;
}

bool symbols_start(uint32_t gla, uint32_t *start) {
    struct symbol_place p;
    if (changing || (!find_in(&symbols.file, (uint32_t)(gla - symbols.slide), &p) &&
                     !find_in(&symbols.live, gla, &p)))
        return false;
    *start = gla - p.offset;
    return true;
}

/* With `back` bytes taken off the address for looking it up. */
static void add_place(struct text *t, uint32_t gla, uint32_t back) {
    struct symbol_place p;
    if (!symbols_find(gla - back, &p))
        return;
    text_add(t, " <%.128s+0x%x", p.name, p.offset + back);
    if (p.file != NULL)
        text_add(t, " %.128s:%u", p.file, p.line);
    text_add(t, ">");
}

void symbols_add_place(struct text *t, uint32_t gla) {
    add_place(t, gla, 0);
}

void symbols_add_return(struct text *t, uint32_t gla) {
    add_place(t, gla, 1);
}

void symbols_add_host_place(struct text *t, uint64_t address) {
    struct symbol_place p;
    uint32_t into;
    const char *name =
        subject != NULL && subject->bt != NULL ? bt_thunk_name(subject, address, &into) : NULL;
    gla_t gla;
    if (name != NULL) {
        text_add(t, " <thunk %s+0x%x>", name, into);
        return;
    }
    if (subject != NULL && subject->bt != NULL && bt_guest_place(subject, address, &gla)) {
        text_add(t, " <translation of %08x", gla);
        symbols_add_place(t, gla);
        text_add(t, ">");
        return;
    }
    if (find_in(&symbols.own, address - symbols.own_slide, &p)) {
        text_add(t, " <%.128s+0x%x>", p.name, p.offset);
        return;
    }
    for (unsigned i = 0; (name = bt_callout_name(i)) != NULL; i++)
        if (bt_callout_address(i) == address)
            text_add(t, " <callout_%s>", name);
}

bool symbols_own_start(uint64_t address, uint32_t *linked) {
    const struct symbol *s = symtab_find(&symbols.own, address - symbols.own_slide);
    if (s == NULL)
        return false;
    *linked = (uint32_t)s->address;
    return true;
}

const char *symbols_own_name(uint32_t linked) {
    uint64_t address = (uint64_t)(int64_t)(int32_t)linked; /* a kernel is linked at the top */
    const struct symbol *s = linked != 0 ? symtab_find(&symbols.own, address) : NULL;
    return s != NULL ? symtab_name(&symbols.own, s) : NULL;
}
