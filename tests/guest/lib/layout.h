/* Fixed physical addresses and selectors every guest test shares.
 *
 *   0x00100000  image (link.ld)
 *   0x00400000  page tables of the boot address space (paging.c)
 *   0x00500000  stacks: ring-0 snippets, ring-3 snippets, ring-0 stack of the TSS
 *   0x00800000  arena: pages a test may map, fill and print addresses of
 *   0x01000000  second arena, 4 MiB aligned, for large pages
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define PAGE_TABLES 0x00400000
#define STACK_RING0 0x00510000 /* top of the stack snippets run on in ring 0 */
#define STACK_RING3 0x00520000 /* top of the stack snippets run on in ring 3 */
#define STACK_TRAP  0x00530000 /* TSS.ESP0 */
#define STACK_FAULT 0x00540000 /* spare stack for double-fault tests */
#define STACK_RING1 0x00550000 /* TSS.ESP1 */
#define ARENA       0x00800000
#define ARENA_LARGE 0x01000000

/* The order of the first four is the one SYSENTER and SYSEXIT ask for (SDM vol 2B, SYSEXIT). */
#define SEL_CODE0 0x08
#define SEL_DATA0 0x10
#define SEL_CODE3 0x1B
#define SEL_DATA3 0x23
#define SEL_TSS   0x28
#define SEL_LDT   0x30
#define SEL_CODE1 0x39
#define SEL_DATA1 0x41
#define SEL_FREE  0x48 /* this slot and all above it belong to the test */
#define GDT_SLOTS 64

#define VECTOR_IRQ 0x20 /* the PICs are remapped to 0x20..0x2F */
#define VECTOR_END 0xF0 /* INT 0xF0 ends a snippet, from any ring */

#endif
