/*
 * The statistics table (stats.h). Counters are the translator's and the MMU's; nothing is counted
 * here.
 */
#include "host/process/stats.h"

#include <inttypes.h>
#include <stdio.h>

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

static void title(const char *text) {
    fprintf(stderr, "\n%s\n", text);
}

static void count(const char *name, uint64_t value) {
    fprintf(stderr, "  %-28s %14" PRIu64 "\n", name, value);
}

static void share(const char *name, uint64_t part, uint64_t whole) {
    fprintf(stderr, "  %-28s %14" PRIu64 "  %5.1f%%\n", name, part,
            whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static void ratio(const char *name, uint64_t a, uint64_t b) {
    fprintf(stderr, "  %-28s %14.2f\n", name, b ? (double)a / (double)b : 0.0);
}

static void seconds(const char *name, uint64_t ns, uint64_t whole) {
    fprintf(stderr, "  %-28s %14.3f  %5.1f%%\n", name, (double)ns / 1e9,
            whole ? 100.0 * (double)ns / (double)whole : 0.0);
}

static void print_time(const struct bt_stats *b) {
    uint64_t other = b->translate_ns + b->halt_ns;
    title("time (s)");
    seconds("total", b->run_ns, b->run_ns);
    seconds("guest code and callouts", b->run_ns > other ? b->run_ns - other : 0, b->run_ns);
    seconds("translating", b->translate_ns, b->run_ns);
    seconds("halted", b->halt_ns, b->run_ns);
}

static void print_translator(const struct bt_stats *b) {
    title("translator");
    count("blocks", b->blocks);
    count("guest instructions", b->guest_insns);
    count("guest bytes", b->guest_bytes);
    count("host bytes", b->host_bytes);
    ratio("host bytes per guest byte", b->host_bytes, b->guest_bytes);
    share("cache bytes used", b->cache_used, b->cache_size);
    count("cache flushes", b->flushes);
    count("blocks invalidated", b->invalidated);
    count("retranslated (checked form)", b->retranslated);
    count("writes to code pages", b->smc_writes);
    count("exits chained", b->chained);
    count("exits unchained", b->unchained);
    count("dispatches", b->dispatches);
    share("jump cache misses", b->jump_misses, b->dispatches);
}

static void print_events(const struct bt_stats *b) {
    title("events");
    count("guest exceptions", b->exceptions);
    count("guest interrupts", b->interrupts);
    count("host faults", b->host_faults);
    count("kicks", b->polls);
}

static void print_callouts(const struct vcpu *v) {
    enum { KINDS = sizeof v->callout_count / sizeof v->callout_count[0] };
    bool shown[KINDS] = {false};
    title("callouts");
    uint64_t total = 0;
    for (unsigned i = 0; i < KINDS; i++)
        total += v->callout_count[i];
    count("total", total);
    for (;;) { /* the most frequent first */
        unsigned best = KINDS;
        for (unsigned i = 0; i < KINDS && bt_callout_name(i) != NULL; i++)
            if (!shown[i] && v->callout_count[i] != 0 &&
                (best == KINDS || v->callout_count[i] > v->callout_count[best]))
                best = i;
        if (best == KINDS)
            return;
        shown[best] = true;
        share(bt_callout_name(best), v->callout_count[best], total);
    }
}

static void print_mmu(const struct mmu_stats *m) {
    title("MMU");
    count("guest table walks", m->walks);
    count("software TLB fills", m->tlb_fills);
    count("guest page faults", m->guest_faults);
    count("CR3 loads", m->cr3_loads);
    count("revalidations", m->revalidations);
    ratio("pages per revalidation", m->revalidated_pages, m->revalidations);
    count("pages dropped", m->dropped_pages);
    count("window faults", m->window_faults);
    count("window maps", m->window_maps);
    count("window unmaps", m->window_unmaps);
    count("window protects", m->window_protects);
    count("windows evicted", m->windows_evicted);
    count("address spaces promoted", m->views_promoted);
    count("code pages protected", m->code_protects);
    count("MMIO reads", m->mmio_reads);
    count("MMIO writes", m->mmio_writes);
    count("host mappings", m->mappings);
    share("host mappings at most", m->mappings_peak, host_window_budget());
}

void stats_print(const struct vm *vm) {
    const struct bt_stats *b = bt_stats(vm);
    print_time(b);
    print_translator(b);
    print_events(b);
    print_callouts(&vm->vcpu);
    print_mmu(mmu_stats(vm));
}
