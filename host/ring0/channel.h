/*
 * The way to the launcher (host/channel.h): an I/O port that takes any byte at once. On a PC
 * without launcher there is none.
 */
#ifndef HOST_RING0_CHANNEL_H
#define HOST_RING0_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/channel.h"

/* The port; 0: there is none, and lines are lost. */
void channel_use_port(uint16_t port);
bool channel_is_open(void);

/* Sends a line, up to the first line feed or NUL. From rings 0 and 1. */
void channel_line(enum channel_kind kind, const char *text);

/* Ring 0: the same. */
void channel_send(enum channel_kind kind, const char *text);

#endif
