/*
 * Source lines by address (lines.h).
 */
#include "host/process/lines.h"

const char *lines_find(const struct lines *l, uint32_t address, uint32_t *line) {
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->entries[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || l->entries[low - 1].line == 0)
        return NULL;
    *line = l->entries[low - 1].line;
    return l->names + l->entries[low - 1].file;
}
