/*
 * Which rows of the instruction table have been translated: what `make coverage` reports.
 */
#include <Zydis/Mnemonic.h>

#include "bt/bt_priv.h"

static const struct {
    uint16_t mnemonic;
    const char *name;
} rows[] = {
#define INSN(m, low, cls) {ZYDIS_MNEMONIC_##m, #m},
#define CALL(m, co, cls)  {ZYDIS_MNEMONIC_##m, #m},
#include "bt/insn.def"
#undef INSN
#undef CALL
};

const char *bt_row(const struct vm *vm, unsigned i, bool *seen) {
    if (i >= sizeof rows / sizeof rows[0])
        return NULL;
    *seen = vm->bt->seen[rows[i].mnemonic] != 0;
    return rows[i].name;
}
