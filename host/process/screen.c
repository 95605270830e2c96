/* -screendump-text; see screen.h. */
#include "host/process/screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static FILE *file;

bool screen_open(const struct options *o, char message[OPTIONS_MESSAGE]) {
    if (o->screendump == NULL)
        return true;
    file = fopen(o->screendump, "we");
    if (file == NULL)
        snprintf(message, OPTIONS_MESSAGE, "-screendump-text: cannot write '%.150s': %s",
                 o->screendump, strerror(errno));
    return file != NULL;
}

void screen_add_row(const char *row, size_t n) {
    if (file == NULL)
        return;
    fwrite(row, 1, n, file);
    fputc('\n', file);
}

void screen_close(void) {
    if (file != NULL && fflush(file) != 0)
        fprintf(stderr, "ringone: -screendump-text: %s\n", strerror(errno));
}

void screen_finish(const struct vm *vm) {
    char row[SCREEN_ROW_BYTES];
    size_t n;
    if (file == NULL)
        return;
    for (unsigned i = 0; (n = screen_row(vm, i, row)) != SCREEN_NO_ROW; i++)
        screen_add_row(row, n);
    screen_close();
}
