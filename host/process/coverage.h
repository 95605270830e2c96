/*
 * -coverage FILE: which instructions of the table a run has translated, for make coverage.
 */
#ifndef HOST_PROCESS_COVERAGE_H
#define HOST_PROCESS_COVERAGE_H

#include <stdio.h>

struct vm;

/* Opens the file while that is still allowed; ends the process with status 2 if it cannot. */
FILE *coverage_open(const char *path);
/* Writes "1 NAME" or "0 NAME" for each row of bt/insn.def into the file. */
void coverage_write(const struct vm *vm, FILE *f);

#endif
