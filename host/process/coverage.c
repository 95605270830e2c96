/* See coverage.h. */
#include "host/process/coverage.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"

FILE *coverage_open(const char *path) {
    static char buffer[1 << 16]; /* the sandbox is closed when the file is written */
    FILE *f = fopen(path, "we");

    if (!f) {
        fprintf(stderr, "ringone: -coverage: '%s': %s\n", path, strerror(errno));
        exit(2);
    }
    setvbuf(f, buffer, _IOFBF, sizeof buffer);
    return f;
}

void coverage_write(const struct vm *vm, FILE *f) {
    const char *name;
    bool seen;

    for (unsigned i = 0; (name = bt_row(vm, i, &seen)) != NULL; i++)
        fprintf(f, "%d %s\n", seen, name);
    fflush(f); /* and left open: the sandbox lets nothing be closed */
}
