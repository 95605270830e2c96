/*
 * The guest's text screen for the user: a file at exit (-screendump-text), or a key.
 */
#ifndef HOST_PROCESS_SCREEN_H
#define HOST_PROCESS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "host/process/options.h"

struct vm;

enum { SCREEN_ROW_BYTES = 3 * 256 };
#define SCREEN_NO_ROW ((size_t)-1)

/* A row as UTF-8 without blanks at its end; returns its length, SCREEN_NO_ROW below the last row or
 * when there is no text screen. (rt_screen.c) */
size_t screen_row(const struct vm *vm, unsigned row, char out[SCREEN_ROW_BYTES]);

/* Opens -screendump-text's file, which must happen before the sandbox shuts. False: message. */
bool screen_open(const struct options *o, char message[OPTIONS_MESSAGE]);
/* Writes the screen to that file, if there is one. */
void screen_finish(const struct vm *vm);
/* The same for a screen that comes row by row, and its end. */
void screen_add_row(const char *row, size_t n);
void screen_close(void);

#endif
