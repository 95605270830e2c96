/*
 * What the launcher of the ring-0 host and its VMM tell each other while it runs (host/channel.h):
 * the VMM's words go to standard error, its lines to the files that the options name; signals
 * become requests.
 */
#ifndef HOST_PROCESS_RING0_LINK_H
#define HOST_PROCESS_RING0_LINK_H

#include <stdbool.h>
#include <sys/types.h>

struct ring0_link {
    int messages; /* a socket: the VMM's words, and our requests */
    int lines;    /* a pipe */
};

/* Makes a link: our end and the machine's. Before the machine is started. False: errno says why. */
bool ring0_link_open(struct ring0_link *ours, struct ring0_link *far);
void ring0_link_close(const struct ring0_link *link);

/* Serves the link until the machine, a child process, has closed both. SIGINT, SIGTERM, SIGHUP and
 * SIGQUIT ask the VMM to end; a second one, or a VMM that does not, ends the machine.
 * panic_on_signal: SIGUSR1 and SIGUSR2 make it panic (panic.h). */
void ring0_link_serve(const struct ring0_link *link, pid_t machine, bool panic_on_signal);

/* Whether that was the machine's end. */
bool ring0_link_killed(void);

/* Ends the process the way the signal that ended the VM would have; returns if there was none. */
void ring0_link_resume_signal(void);

#endif
