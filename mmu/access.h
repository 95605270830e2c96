/*
 * One page's part of an access: what access.c and checked.c share.
 */
#ifndef MMU_ACCESS_H
#define MMU_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vcpu.h"

/* A physical address that has passed the checks. */
struct access_page {
    gpa_t gpa;
    uint8_t *hva; /* NULL: not RAM or ROM */
    bool plain;   /* the access may go through hva as it is: for writes RAM without FRAME_CODE */
};

/* Checks an access that stays within one page, sets A/D, fills the TLB. False: #PF pending. */
bool access_resolve(struct vcpu *v, gla_t gla, unsigned access, struct access_page *p);
/* Reads or writes n bytes of one resolved page, devices included. */
void access_read(struct vcpu *v, const struct access_page *p, void *buf, uint32_t n);
void access_write(struct vcpu *v, const struct access_page *p, const void *buf, uint32_t n);

/* Bytes of [gla, gla+n) on the first page, at most n. */
static inline uint32_t access_first_part(gla_t gla, uint32_t n) {
    uint32_t left = PAGE_SIZE - (gla & (PAGE_SIZE - 1));
    return n < left ? n : left;
}

#endif
