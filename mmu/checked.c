/*
 * The slow path of checked operands. An instruction runs once on the pointer mmu_prepare gives: the
 * guest's RAM where one pointer can serve, else v->bounce, which mmu_commit carries to its place.
 *
 * Invariant: a bounced write touches nothing before mmu_commit, and by then its pages have been
 * checked, so mmu_commit cannot fault.
 */
#include "host/host.h"
#include "mmu/access.h"
#include "mmu/mmu.h"
#include "mmu/mmu_priv.h"
#include "vmm/vm.h"

void *mmu_prepare(struct vcpu *v, gla_t gla, uint32_t size, unsigned access) {
    struct bounce *b = &v->bounce;
    struct access_page p[2] = {0};
    uint32_t first = access_first_part(gla, size);

    b->active = false;
    if (!access_resolve(v, gla, access, &p[0]))
        return NULL;
    if (first == size && p[0].plain)
        return p[0].hva;
    if (first < size && !access_resolve(v, gla + first, access, &p[1]))
        return NULL;

    b->offset = gla & 63;
    if (size > BOUNCE_BYTES - b->offset)
        host_panic("mmu_prepare: operand of %u bytes", size);
    b->size = size;
    b->split = first;
    b->gpa[0] = p[0].gpa;
    b->gpa[1] = p[1].gpa;
    b->mmio = !p[0].hva || (first < size && !p[1].hva);
    uint8_t *data = b->buf + b->offset;
    if (access & MMU_R) {
        access_read(v, &p[0], data, first);
        if (first < size)
            access_read(v, &p[1], data + first, size - first);
    }
    b->active = access & MMU_W;
    return data;
}

bool mmu_commit(struct vcpu *v) {
    struct bounce *b = &v->bounce;
    const uint8_t *data = b->buf + b->offset;

    if (!b->active)
        return false;
    b->active = false;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t n = i == 0 ? b->split : b->size - b->split;
        if (n == 0)
            continue;
        struct access_page p = {.gpa = b->gpa[i], .hva = memmap_ptr(&v->vm->mem, b->gpa[i])};
        access_write(v, &p, data, n);
        data += n;
    }
    bool overwritten = v->code_written;
    v->code_written = false;
    return overwritten;
}
