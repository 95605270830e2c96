/*
 * The statistics table (stats.h). Counters are the translator's and the MMU's; nothing is counted
 * here.
 */
#include "host/stats.h"

#include <stdbool.h>
#include <stdint.h>

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

typedef unsigned long long ull;

static void title(stats_print_fn print, const char *text) {
    print("\n%s\n", text);
}

static void count(stats_print_fn print, const char *name, uint64_t value) {
    print("  %-28s %14llu\n", name, (ull)value);
}

/* part / whole in 1/n, rounded. */
static uint64_t portion(uint64_t part, uint64_t whole, uint64_t n) {
    for (; part > UINT64_MAX / 2 / n; part /= 2)
        whole /= 2;
    return whole ? (part * n + whole / 2) / whole : 0;
}

static void share(stats_print_fn print, const char *name, uint64_t part, uint64_t whole) {
    uint64_t tenths = portion(part, whole, 1000);

    print("  %-28s %14llu  %3llu.%llu%%\n", name, (ull)part, (ull)(tenths / 10),
          (ull)(tenths % 10));
}

static void ratio(stats_print_fn print, const char *name, uint64_t a, uint64_t b) {
    uint64_t hundredths = portion(a, b, 100);

    print("  %-28s %11llu.%02llu\n", name, (ull)(hundredths / 100), (ull)(hundredths % 100));
}

static void seconds(stats_print_fn print, const char *name, uint64_t ns, uint64_t whole) {
    enum { NS_PER_MS = 1000000 };
    uint64_t ms = (ns + NS_PER_MS / 2) / NS_PER_MS, tenths = portion(ns, whole, 1000);

    print("  %-28s %10llu.%03llu  %3llu.%llu%%\n", name, (ull)(ms / 1000), (ull)(ms % 1000),
          (ull)(tenths / 10), (ull)(tenths % 10));
}

static uint64_t tsc_to_ns(uint64_t ticks) {
    const uint64_t second = 1000000000;
    uint64_t hz = host_tsc_hz();

    return ticks / hz * second + ticks % hz * second / hz;
}

static void print_time(stats_print_fn print, const struct bt_stats *b) {
    uint64_t translate_ns = tsc_to_ns(b->translate_tsc), native_ns = tsc_to_ns(b->native_tsc);
    uint64_t other = translate_ns + b->halt_ns + native_ns;
    title(print, "time (s)");
    seconds(print, "total", b->run_ns, b->run_ns);
    seconds(print, "guest code and callouts", b->run_ns > other ? b->run_ns - other : 0, b->run_ns);
    if (b->native_runs > 0)
        seconds(print, "user code run natively", native_ns, b->run_ns);
    seconds(print, "translating", translate_ns, b->run_ns);
    seconds(print, "halted", b->halt_ns, b->run_ns);
}

static void print_translator(stats_print_fn print, const struct bt_stats *b, const struct vcpu *v) {
    title(print, "translator");
    count(print, "blocks", b->blocks);
    count(print, "guest instructions", b->guest_insns);
    count(print, "guest bytes", b->guest_bytes);
    count(print, "host bytes", b->host_bytes);
    ratio(print, "host bytes per guest byte", b->host_bytes, b->guest_bytes);
    share(print, "cache bytes used", b->cache_used, b->cache_size);
    count(print, "cache flushes", b->flushes);
    count(print, "blocks invalidated", b->invalidated);
    count(print, "retranslated (checked form)", b->retranslated);
    count(print, "writes to code pages", b->smc_writes);
    count(print, "exits chained", b->chained);
    count(print, "exits unchained", b->unchained);
    count(print, "chains without a jump", b->fallthroughs);
    count(print, "dispatches", b->dispatches);
    count(print, "dispatches spared by callouts", b->onward);
    share(print, "exits chained at the end", b->chained - b->unchained, b->exits);
    /* a return that misses becomes an indirect jump */
    uint64_t jumps = v->indirect_jumps + v->return_misses;
    share(print, "indirect jumps that hit", jumps - b->jump_misses, jumps);
    share(print, "returns that hit", v->return_hits, v->return_hits + v->return_misses);
}

static void print_events(stats_print_fn print, const struct bt_stats *b) {
    title(print, "events");
    count(print, "guest exceptions", b->exceptions);
    count(print, "guest interrupts", b->interrupts);
    count(print, "host faults", b->host_faults);
    count(print, "kicks", b->polls);
    if (b->native_runs > 0)
        count(print, "native runs of user code", b->native_runs);
}

static void print_callouts(stats_print_fn print, const struct vcpu *v) {
    enum { KINDS = sizeof v->callout_count / sizeof v->callout_count[0] };
    bool shown[KINDS] = {false};
    title(print, "callouts");
    uint64_t total = 0;
    for (unsigned i = 0; i < KINDS; i++)
        total += v->callout_count[i];
    count(print, "total", total);
    for (;;) { /* the most frequent first */
        unsigned best = KINDS;
        for (unsigned i = 0; i < KINDS && bt_callout_name(i) != NULL; i++)
            if (!shown[i] && v->callout_count[i] != 0 &&
                (best == KINDS || v->callout_count[i] > v->callout_count[best]))
                best = i;
        if (best == KINDS)
            return;
        shown[best] = true;
        share(print, bt_callout_name(best), v->callout_count[best], total);
    }
}

static void print_mmu(stats_print_fn print, const struct mmu_stats *m) {
    title(print, "MMU");
    count(print, "guest table walks", m->walks);
    count(print, "software TLB fills", m->tlb_fills);
    count(print, "guest page faults", m->guest_faults);
    count(print, "CR3 loads", m->cr3_loads);
    count(print, "revalidations", m->revalidations);
    ratio(print, "pages per revalidation", m->revalidated_pages, m->revalidations);
    count(print, "pages dropped", m->dropped_pages);
    count(print, "window faults", m->window_faults);
    count(print, "window maps", m->window_maps);
    count(print, "window unmaps", m->window_unmaps);
    count(print, "window protects", m->window_protects);
    count(print, "windows evicted", m->windows_evicted);
    count(print, "address spaces promoted", m->views_promoted);
    count(print, "address spaces demoted", m->views_demoted);
    count(print, "code pages protected", m->code_protects);
    count(print, "MMIO reads", m->mmio_reads);
    count(print, "MMIO writes", m->mmio_writes);
    count(print, "host mappings", m->mappings);
    share(print, "host mappings at most", m->mappings_peak, host_window_budget());
}

void stats_print(const struct vm *vm, stats_print_fn print) {
    const struct bt_stats *b = bt_stats(vm);
    print_time(print, b);
    print_translator(print, b, &vm->vcpu);
    print_events(print, b);
    print_callouts(print, &vm->vcpu);
    print_mmu(print, mmu_stats(vm));
}
