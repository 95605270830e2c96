/* The frame of a measured loop: BEGIN(name) body END.
 *
 * In: EBP = rounds. Out: EAX = cycles (low half of the time stamp counter's difference). The body
 * may change every register but ESI, EBP and (unless it puts it back) ESP.
 *
 * In the guest a snippet ends by INT 0F0h (tests/guest/lib/run.h); natively it returns.
 */
#ifndef EVENTS_SNIPPET_H
#define EVENTS_SNIPPET_H

#ifdef NATIVE
#define FINISH ret
#else
#define FINISH int $0xf0
#endif

/* clang-format off */
#define BEGIN(name)                                                                                \
    .balign 64;                                                                                    \
    .globl name;                                                                                   \
    name: rdtsc;                                                                                   \
    movl %eax, %esi;                                                                             \
    9:

#define END                                                                                        \
    decl %ebp;                                                                                    \
    jnz 9b;                                                                                        \
    rdtsc;                                                                                         \
    subl %esi, %eax;                                                                             \
    FINISH

#endif
