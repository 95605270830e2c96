/*
 * The guest's text screen for the launcher (-screendump-text).
 */
#ifndef HOST_RING0_SCREENDUMP_H
#define HOST_RING0_SCREENDUMP_H

struct vm;

/* Sends its rows; none when it is not in a text mode. */
void screendump_send(const struct vm *vm);

#endif
