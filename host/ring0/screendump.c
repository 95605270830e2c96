/* The text screen at the end (screendump.h). */
#include "host/ring0/screendump.h"

#include "host/process/screen.h"
#include "host/ring0/channel.h"

void screendump_send(const struct vm *vm) {
    char row[SCREEN_ROW_BYTES + 1];
    size_t n;

    for (unsigned i = 0; (n = screen_row(vm, i, row)) != SCREEN_NO_ROW; i++) {
        row[n] = '\0';
        channel_line(CHANNEL_SCREEN, row);
    }
}
