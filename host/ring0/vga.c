/*
 * VGA text mode 3 (IBM VGA technical reference: character and attribute bytes at B8000h).
 */
#include "host/ring0/vga.h"

#include <stdint.h>

#include "host/host.h"
#include "host/ring0/layout.h"

enum { COLUMNS = 80, ROWS = 25, SCREEN = 0xb8000, GREY = 0x0700, WHITE_ON_RED = 0x4f00 };

static unsigned row, column;
static uint16_t colour = GREY;

static volatile uint16_t *cell(unsigned r, unsigned c) {
    return (volatile uint16_t *)direct_map(SCREEN) + r * COLUMNS + c;
}

void vga_init(void) {
    for (unsigned r = 0; r < ROWS; r++)
        for (unsigned c = 0; c < COLUMNS; c++)
            *cell(r, c) = colour | ' ';
}

void vga_alarm(void) {
    colour = WHITE_ON_RED;
}

static void new_line(void) {
    column = 0;
    if (++row < ROWS)
        return;
    row = ROWS - 1;
    for (unsigned r = 0; r < ROWS - 1; r++)
        for (unsigned c = 0; c < COLUMNS; c++)
            *cell(r, c) = *cell(r + 1, c);
    for (unsigned c = 0; c < COLUMNS; c++)
        *cell(row, c) = colour | ' ';
}

void vga_write(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            new_line();
        } else if (text[i] == '\r') {
            column = 0;
        } else {
            *cell(row, column) = colour | (uint8_t)text[i];
            if (++column == COLUMNS)
                new_line();
        }
    }
}
