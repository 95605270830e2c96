/* The A20 gate; see a20.h. */
#include "vmm/a20.h"

#include <stddef.h>

#include "mmu/memmap.h"

void a20_set(struct a20_gate *g, bool open) {
    g->open = open;
    if (g->mem != NULL)
        memmap_set_a20(g->mem, open);
}
