/* Real-address mode snippets (real.h): what of it is easier in C. */
#include "real.h"
#include "cpu.h"
#include "gdt.h"
#include "run.h"
#include "serial.h"

enum { BLOB = 0x20000, STUB_BYTES = 16 };
enum { CODE16_SLOT = 61, DATA16_SLOT, DATA16_4G_SLOT }; /* known to real.S */

struct pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

extern const uint8_t real_blob[], real_blob_end[], real_stubs[], real_state_blob[],
    real_target_blob[], real_gdtr_blob[];
extern struct pointer real_gdtr, real_idtr, real_pointer;
void real_enter(void);

uint16_t real_idt_limit = 0x3FF;

static void *in_blob(const uint8_t *label) {
    return (void *)(BLOB + (label - real_blob));
}

static void copy(void *to, const void *from, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++)
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

static void prepare(void) {
    copy((void *)BLOB, real_blob, (uint32_t)(real_blob_end - real_blob));
    for (uint32_t v = 0; v < 256; v++)
        ((volatile uint32_t *)REAL_VECTORS)[v] =
            (uint32_t)(BLOB / 16) << 16 | ((uint32_t)(real_stubs - real_blob) + v * STUB_BYTES);
    gdt[CODE16_SLOT] = descriptor(BLOB, 0xFFFF, ACCESS_P | ACCESS_CODE_R, 0);
    gdt[DATA16_SLOT] = descriptor(0, 0xFFFF, ACCESS_P | ACCESS_DATA_RW, 0);
    gdt[DATA16_4G_SLOT] = descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_G);
    __asm__ volatile("sidt %0; sgdt %1" : "=m"(real_idtr), "=m"(real_gdtr));
    copy(in_blob(real_gdtr_blob), &real_gdtr, 6);
    real_pointer = (struct pointer){real_idt_limit, REAL_VECTORS};
}

struct real real_regs(void) {
    return (struct real){.eax = 0x11111111,
                         .ecx = 0x22222222,
                         .edx = 0x33333333,
                         .ebx = 0x44444444,
                         .esp = 0x8000,
                         .ebp = 0x66666666,
                         .esi = 0x77777777,
                         .edi = 0x88888888,
                         .cs = REAL_CODE / 16,
                         .ss = REAL_STACK / 16,
                         .ds = REAL_DATA / 16,
                         .es = REAL_DATA / 16,
                         .fs = REAL_DATA / 16,
                         .gs = REAL_DATA / 16,
                         .eflags = 2};
}

struct real real_code(const void *code, uint32_t bytes, uint16_t at) {
    struct real in = real_regs();
    for (uint32_t i = 0; i < bytes; i++) /* wraps at the segment's end */
        *(volatile uint8_t *)(REAL_CODE + (uint16_t)(at + i)) = ((const uint8_t *)code)[i];
    in.eip = at;
    return in;
}

void real_run(const struct real *in, struct real *out) {
    uint16_t target[2] = {(uint16_t)in->eip, (uint16_t)in->cs};
    prepare();
    copy(in_blob(real_state_blob), in, sizeof *in);
    *(volatile uint32_t *)((uint8_t *)in_blob(real_state_blob) +
                           __builtin_offsetof(struct real, vector)) = 0;
    copy(in_blob(real_target_blob), target, sizeof target);
    real_enter();
    copy(out, in_blob(real_state_blob), sizeof *out);
}

void real_try(const char *label, const struct real *in) {
    static const char names[][4] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char segments[][3] = {"cs", "ss", "ds", "es", "fs", "gs"};
    struct real out;
    real_run(in, &out);
    printf("%s: ", label);
    if (out.vector == 0xF0) {
        printf("end");
    } else {
        printf("%s", vector_name(out.vector));
        if (vector_name(out.vector)[0] == 'I')
            printf(" %02x", out.vector);
        printf(" ip %04x", out.eip);
    }
    for (unsigned i = 0; i < 8; i++)
        if ((&out.eax)[i] != (&in->eax)[i])
            printf(" %s=%08x", names[i], (&out.eax)[i]);
    for (unsigned i = 0; i < 6; i++)
        if (((&out.cs)[i] & 0xFFFF) != ((&in->cs)[i] & 0xFFFF))
            printf(" %s=%04x", segments[i], (&out.cs)[i] & 0xFFFF);
    printf("\n");
}
