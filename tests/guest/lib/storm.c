/* storm.h. The PIT's channel 0 in mode 2 (Intel 8254 data sheet) interrupts through IRQ 0. */
#include "storm.h"
#include "guest.h"

enum { PIT_HZ = 1193182, STORM_HZ = 8000, WORDS = STORM_BYTES / 4 };

void (*storm_hook)(void);

static uint32_t hits, code_begin, code_end;
static uint32_t wanted[WORDS];
static uint32_t *const memory = (uint32_t *)STORM_MEMORY;

static void on_tick(struct trap_frame *frame) {
    hits += frame->eip >= code_begin && frame->eip < code_end;
    if (storm_hook)
        storm_hook();
    pic_eoi(0);
}

/* What the command line says behind "hits=", 0 if it does not. */
static uint32_t hits_asked(void) {
    enum { INFO_CMDLINE = 16, INFO_HAS_CMDLINE = 4 };
    const char *text = *(const char **)(boot_info + INFO_CMDLINE);
    static const char word[] = "hits=";
    uint32_t n = 0, i = 0;

    if (!(*(uint32_t *)boot_info & INFO_HAS_CMDLINE))
        return 0;
    for (; *text && i < sizeof word - 1; text++)
        i = *text == word[i] ? i + 1 : 0;
    for (; i && *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (uint32_t)(*text - '0');
    return n;
}

void storm_begin(void) {
    enum { COUNT = PIT_HZ / STORM_HZ };
    trap_handlers[VECTOR_IRQ] = on_tick;
    outb(0x43, 0x34); /* channel 0, mode 2 */
    outb(0x40, COUNT & 0xFF);
    outb(0x40, COUNT >> 8);
}

static void fill(void) {
    for (uint32_t i = 0; i < WORDS; i++)
        memory[i] = i % (WORDS / 2) * 0x9E3779B1u ^ 0x5A17;
}

/* What differs from the run without interrupts, or NULL. */
static const char *difference(const struct trap *good) {
    static const char *const names[] = {"edi", "esi", "ebp", "ebx", "edx", "ecx", "eax", "esp",
                                        "ss",  "gs",  "fs",  "es",  "ds",  "eip", "cs",  "eflags"};
    if (trap.vector != good->vector)
        return "vector";
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (((const uint32_t *)&trap.regs)[i] != ((const uint32_t *)&good->regs)[i])
            return names[i];
    for (uint32_t i = 0; i < WORDS; i++)
        if (memory[i] != wanted[i])
            return "memory";
    return NULL;
}

uint32_t storm(const char *name, const struct regs *in, uint32_t hits_wanted) {
    struct regs start = *in;
    uint32_t asked = hits_asked();
    start.eflags |= FLAG_IF;
    pic_mask(0xFFFF);
    fill();
    run(&start);
    struct trap good = trap;
    for (uint32_t i = 0; i < WORDS; i++)
        wanted[i] = memory[i];
    if (good.vector != VECTOR_END) {
        report(name, &start);
        return 1;
    }

    if (asked && asked < hits_wanted)
        hits_wanted = asked;
    code_begin = start.eip;
    code_end = good.regs.eip;
    uint32_t wrong = 0;
    const char *first = NULL;
    hits = 0;
    while (hits < hits_wanted) {
        fill();
        pic_mask(0xFFFE);
        run(&start);
        pic_mask(0xFFFF);
        const char *what = difference(&good);
        wrong += what != NULL;
        first = first ? first : what;
    }
    if (wrong)
        printf("%s: %u wrong, the first in %s\n", name, wrong, first);
    return wrong;
}
