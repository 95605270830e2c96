/*
 * The MMU as the rest of the VMM sees it: accesses by linear address, the events that make cached
 * translations stale, and the two caches (software TLB for checked operands, windows for direct
 * ones). The shadow is a cache like a TLB and may be stale exactly as far as a TLB may
 * (Intel SDM vol. 3A section 4.10).
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vcpu.h"

struct vm;
struct mmu;
struct memmap;

/* What an access wants; combinations of one of R/W/RW/X with MMU_USER. */
#define MMU_R    1u
#define MMU_W    2u
#define MMU_X    4u
#define MMU_USER 8u /* CPL 3 rules; without it a supervisor access (implicit ones included) */

/* Allocates the MMU's state for a VM (windows, reverse map). NULL: out of host memory. */
struct mmu *mmu_create(struct vm *vm);

/* -- C accesses: SDM vol. 3A section 4.6. False: #PF is pending, nothing was written. -- */

/* Reads/writes n bytes (n <= BOUNCE_BYTES) at linear address gla, crossing pages where it must and
 * wrapping at 4 GiB. Writes reach devices for MMIO and invalidate translated code. */
bool mmu_read(struct vcpu *v, gla_t gla, void *buf, uint32_t n, bool user);
bool mmu_write(struct vcpu *v, gla_t gla, const void *buf, uint32_t n, bool user);
/* Checks that n bytes could be accessed (sets A/D as an access would). False: #PF pending. */
bool mmu_probe(struct vcpu *v, gla_t gla, uint32_t n, unsigned access);
/* Reads what lies at gla in RAM or ROM, as a supervisor would see it, with no effect on anything
 * (mmu/peek.c). Returns how many of the n bytes: fewer where a page is not mapped or a device. */
uint32_t mmu_peek(const struct vcpu *v, gla_t gla, void *buf, uint32_t n);
/* Short forms for supervisor or CPL-dependent data. */
bool mmu_read8(struct vcpu *v, gla_t gla, uint8_t *out, bool user);
bool mmu_read16(struct vcpu *v, gla_t gla, uint16_t *out, bool user);
bool mmu_read32(struct vcpu *v, gla_t gla, uint32_t *out, bool user);
bool mmu_write8(struct vcpu *v, gla_t gla, uint8_t value, bool user);
bool mmu_write16(struct vcpu *v, gla_t gla, uint16_t value, bool user);
bool mmu_write32(struct vcpu *v, gla_t gla, uint32_t value, bool user);

/* Host pointer to the RAM page at gla for bulk work (string instructions): valid for access up to
 * the page's end, until the next MMU event. NULL with no fault pending: not plain RAM (MMIO, or a
 * write to a page with translated code): use mmu_read/mmu_write. NULL with v->exc.pending: #PF. */
uint8_t *mmu_page_ptr(struct vcpu *v, gla_t gla, unsigned access);

/* -- checked operands (slow path of translated code) -- */

/* A pointer through which an instruction may access [gla, gla+size) once: guest RAM itself or
 * v->bounce. Fills the software TLB where it can. NULL: #PF pending. access includes MMU_R for a
 * read or read-modify-write (the bytes are read now) and MMU_W for a write. */
void *mmu_prepare(struct vcpu *v, gla_t gla, uint32_t size, unsigned access);
/* After the instruction: carries a bounced write to memory or devices. True: translated code was
 * overwritten, leave translated code before the next instruction. */
bool mmu_commit(struct vcpu *v);

/* -- code fetch -- */

/* Where the code at gla is. Sets A. global: the translation is valid for every CR3. False: #PF (or
 * #GP for a fetch from nowhere) pending. *hva is NULL when the page is not RAM/ROM. */
bool mmu_fetch(struct vcpu *v, gla_t gla, gpa_t *gpa, const uint8_t **hva, bool *global);
/* The same without side effects or faults: -1 when not mapped for execution at this CPL. */
int64_t mmu_fetch_probe(struct vcpu *v, gla_t gla);

/* -- direct operands (windows) -- */

enum mmu_fault {
    MMU_FAULT_RETRY,   /* the window has been filled: run the host instruction again */
    MMU_FAULT_GUEST,   /* #PF pending */
    MMU_FAULT_CHECKED, /* this access needs the checked form (MMIO, page crossing into it, ...) */
    MMU_FAULT_CHURNS,  /* so it does for now: the guest changes this page's mapping all the time */
    MMU_FAULT_CODE_WRITE, /* a write to a frame with translated code: see *gpa */
};
/* A host page fault at linear address gla in the window of the current view. */
enum mmu_fault mmu_window_fault(struct vcpu *v, gla_t gla, bool write, gpa_t *gpa);
/* The same for an instruction fetch of user code that runs natively. */
enum mmu_fault mmu_window_fetch(struct vcpu *v, gla_t gla);
/* True: code of this view is to be translated in direct form. */
static inline bool mmu_view_direct(const struct vcpu *v, bool user) {
    return v->window_base[user] != 0;
}
/* May the present address space, which has no window for CPL 3, get one in time? */
bool mmu_view_may_grow(const struct vcpu *v);
/* Called every 10 ms of guest run time or sooner. At CPL 3 the current address space has proved
 * long-lived, and gets a window, or has made use of it. True when the view's form changed. */
bool mmu_view_tick(struct vcpu *v);
/* The present code of CPL 3 is badly served by its window: it will lose that, if it can do without.
 */
void mmu_view_give_up(struct vcpu *v);
/* Fills the windows' entry for an address the guest's #PF handler has just mapped. */
void mmu_prefill(struct vcpu *v, gla_t gla);

/* -- events: what the guest did that the caches must follow -- */

/* MOV CR3 / task switch, after v->cr3 (and v->pdpte with PAE) changed: flushes non-global entries,
 * selects and revalidates the address space's windows. */
void mmu_cr3_loaded(struct vcpu *v);
/* CR0.PG/WP/PE, CR4.PSE/PAE/PGE or EFER.NXE changed: everything is dropped, globals too. */
void mmu_mode_changed(struct vcpu *v);
void mmu_invlpg(struct vcpu *v, gla_t gla);
/* CPL 3 code is about to run: does to its window what INVLPG has asked for since it last ran.
 * Guests invalidate page by page; the host is called once for each run of pages. Takes the window
 * away if it costs more than it gives. */
void mmu_enter_user(struct vcpu *v);
/* Loads v->pdpte from CR3 (PAE). False: a reserved bit is set, #GP(0) pending. */
bool mmu_load_pdpte(struct vcpu *v, uint32_t cr3);
/* The frame at gpa now holds translated code, which runs at linear address gla: all caches must
 * forget that it is writable. */
void mmu_protect_code(struct vm *vm, gpa_t gpa, gla_t gla);
/* Some frames' kind (memmap_set_kind) changed: everything cached is dropped. */
void mmu_memory_changed(struct vm *vm);

/* Statistics for -stats. */
struct mmu_stats {
    uint64_t walks, tlb_fills, window_faults, window_maps, window_unmaps, window_protects;
    uint64_t guest_faults, cr3_loads, revalidations, revalidated_pages, dropped_pages;
    uint64_t mmio_reads, mmio_writes, code_protects, windows_evicted, views_promoted, views_demoted;
    uint64_t mappings, mappings_peak;
};
const struct mmu_stats *mmu_stats(const struct vm *vm);

#endif
