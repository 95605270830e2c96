/*
 * Looking at guest memory by linear address without a trace: no A bits, no faults, no devices, no
 * software TLB. For the panic report and traces.
 */
#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

uint32_t mmu_peek(const struct vcpu *v, gla_t gla, void *buf, uint32_t n) {
    uint8_t *out = buf;
    uint32_t done = 0;

    while (done < n) {
        struct gwalk w;
        bool accessed;
        uint32_t rest = PAGE_SIZE - (gla + done) % PAGE_SIZE;
        if (!gwalk_peek(v, gla + done, MMU_R, &w, &accessed))
            break;
        const uint8_t *p = memmap_ptr(&v->vm->mem, w.gpa);
        if (!p)
            break;
        uint32_t part = rest < n - done ? rest : n - done;
        memcpy(out + done, p, part);
        done += part;
    }
    return done;
}
