/*
 * The frame allocator (frames.h): frames are cut off the lower end of the loader's ranges, long
 * runs off the upper end; those given back are kept in a list through their first words.
 *
 * Not reentrant. Interrupt handlers take no frames, because what they touch has been touched
 * before.
 */
#include "host/ring0/frames.h"

#include "host/host.h"
#include "host/ring0/layout.h"

#define LOW_END   0x100000u
#define RUN_ALIGN 0x200000u

extern const char image_bss_end[]; /* link.ld: a physical address */

static struct boot_range ranges[BOOT_RANGES + BOOT_MODULES + 2];
static unsigned range_count;
static unsigned current; /* the range that frames are being cut off */
static uint64_t free_list, free_count, committed, top;
static bool busy;

/* Takes [start, end) out of all ranges. */
static void exclude(uint64_t start, uint64_t end) {
    unsigned n = range_count;

    for (unsigned i = 0; i < n; i++) {
        struct boot_range *r = &ranges[i];
        if (end <= r->start || start >= r->end)
            continue;
        struct boot_range above = {end, r->end};
        r->end = start > r->start ? start : r->start;
        if (above.start < above.end && range_count < sizeof ranges / sizeof ranges[0])
            ranges[range_count++] = above;
    }
}

/* Ascending, so that frames come from low memory first: the trampoline maps no other. */
static void sort(void) {
    for (unsigned i = 1; i < range_count; i++)
        for (unsigned k = i; k > 0 && ranges[k].start < ranges[k - 1].start; k--) {
            struct boot_range swap = ranges[k];
            ranges[k] = ranges[k - 1];
            ranges[k - 1] = swap;
        }
}

void frames_init(const struct boot_info *info) {
    for (unsigned i = 0; i < info->range_count; i++)
        ranges[range_count++] = info->ranges[i];
    exclude(0, LOW_END);
    exclude(KERNEL_PHYSICAL, (uint64_t)(uintptr_t)image_bss_end);
    for (unsigned i = 0; i < info->module_count; i++)
        exclude(info->modules[i].at.start, info->modules[i].at.end);
    for (unsigned i = 0; i < range_count; i++) {
        struct boot_range *r = &ranges[i];
        r->start = (r->start + FRAME_BYTES - 1) & ~(uint64_t)(FRAME_BYTES - 1);
        r->end &= ~(uint64_t)(FRAME_BYTES - 1);
        if (r->end <= r->start) {
            r->end = r->start;
            continue;
        }
        free_count += (r->end - r->start) / FRAME_BYTES;
        if (r->end > top)
            top = r->end;
    }
    sort();
}

static uint64_t cut_off(void) {
    if (free_list) {
        uint64_t frame = free_list;
        free_list = *(uint64_t *)direct_map(frame);
        return frame;
    }
    while (current < range_count && ranges[current].start == ranges[current].end)
        current++;
    if (current == range_count)
        return 0;
    uint64_t frame = ranges[current].start;
    ranges[current].start += FRAME_BYTES;
    return frame;
}

static uint64_t take(void) {
    if (busy)
        host_panic("the frame allocator was interrupted by itself");
    busy = true;
    uint64_t frame = cut_off();
    if (!frame)
        host_panic("the frame allocator has lost frames");
    free_count--;
    busy = false;
    memset(direct_map(frame), 0, FRAME_BYTES);
    return frame;
}

uint64_t frame_take(void) {
    return frames_spare() ? take() : 0;
}

uint64_t frame_take_committed(void) {
    if (committed == 0)
        host_panic("memory was touched that has not been set aside");
    committed--;
    return take();
}

void frame_give_back(uint64_t physical) {
    *(uint64_t *)direct_map(physical) = free_list;
    free_list = physical;
    free_count++;
}

bool frames_commit(uint64_t n) {
    if (frames_spare() < n)
        return false;
    committed += n;
    return true;
}

uint64_t frames_take_run(uint64_t bytes) {
    if (frames_spare() < bytes / FRAME_BYTES)
        return 0;
    for (unsigned i = range_count; i-- > 0;) {
        struct boot_range *r = &ranges[i];
        if (r->end - r->start < bytes)
            continue;
        uint64_t start = (r->end - bytes) & ~(uint64_t)(RUN_ALIGN - 1);
        if (start < r->start)
            continue;
        free_count -= (r->end - start) / FRAME_BYTES; /* what is above the run is lost */
        r->end = start;
        return start;
    }
    return 0;
}

uint64_t frames_spare(void) {
    return free_count - committed;
}
