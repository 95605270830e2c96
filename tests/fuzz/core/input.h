/*
 * The bytes a fuzzer hands in, read one after the other. Behind their end everything is zero, so
 * that any prefix of an input means something.
 */
#ifndef TESTS_FUZZ_CORE_INPUT_H
#define TESTS_FUZZ_CORE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t input_u8(struct input *in) {
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint16_t input_u16(struct input *in) {
    uint8_t low = input_u8(in);

    return (uint16_t)(low | input_u8(in) << 8);
}

static inline uint32_t input_u32(struct input *in) {
    uint32_t low = input_u16(in);

    return low | (uint32_t)input_u16(in) << 16;
}

/* An invariant of the core is broken. */
#define BROKEN(...)                                                                                \
    do {                                                                                           \
        fprintf(stderr, "broken: " __VA_ARGS__);                                                   \
        fputc('\n', stderr);                                                                       \
        abort();                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif
