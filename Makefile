# ringone: `make help` lists the targets.

# --- configuration: each may be given on the command line -------------------------------------

ifeq ($(origin CC),default)
CC := $(if $(filter afl,$(MODE)),afl-clang-fast,gcc)
endif
MODE   ?= release
BUILD  ?= build$(if $(filter-out release,$(MODE)),/$(MODE))
ZYDIS  ?= build/zydis
GUEST  ?= build/guest
MEMORY ?= 256
APPEND ?= console=ttyS0
ACCEL  ?= process
LIBS   ?= -ldwarf -lelf -lseccomp

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

Q := $(if $(V),,@)

# --- flags ------------------------------------------------------------------------------------

MODE_release := -O2
MODE_debug   := -O0 -DRINGONE_DEBUG=1
MODE_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address -DRINGONE_SANITIZE=1
MODE_sanitize := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=undefined -DRINGONE_SANITIZE=1
# for $(BUILD)/fuzz-*, with CC=clang
MODE_fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
                -fno-sanitize-recover=undefined -DRINGONE_SANITIZE=1
# for tests/fuzz/afl, with afl-clang-fast: thousands of short lives, so they do less before they begin
MODE_afl     := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=undefined -DRINGONE_SANITIZE=1 -DRINGONE_SHORT_LIFE=1
MODE_ubsan   := -O1 -fsanitize=undefined -fno-sanitize-recover=undefined -DRINGONE_SANITIZE=1
$(if $(MODE_$(MODE)),,$(error MODE=$(MODE): not one of release debug asan ubsan sanitize fuzz afl))

# The decoder is built without libc; everyone who includes its headers must say so too.
ZYDIS_DEFINES := -DZYAN_NO_LIBC -DZYCORE_STATIC_BUILD -DZYDIS_STATIC_BUILD \
                 -DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_FORMATTER

COMMON_FLAGS := -std=c11 $(MODE_$(MODE)) -g -fPIE -Wall -Wextra -Werror -I. \
                -isystem $(ZYDIS)/include $(ZYDIS_DEFINES) -MMD -MP
# No vector registers: this code runs while the guest's x87/SSE state is live.
LIVE_FPU     := -mgeneral-regs-only
# -fbuiltin: a memcpy of constant size becomes moves, which -ffreestanding alone would not do.
CORE_FLAGS   := $(COMMON_FLAGS) -ffreestanding -fbuiltin $(LIVE_FPU)
# In ring 0 an exception pushes onto the stack in use: no red zone. Frame pointers: backtraces.
RING0_FLAGS  := $(filter-out -fPIE -fsanitize=% -DRINGONE_SANITIZE=1,$(CORE_FLAGS)) -fno-pie \
                -mcmodel=kernel -mno-red-zone -fno-omit-frame-pointer -fno-stack-protector \
                -fno-asynchronous-unwind-tables -fcf-protection=none
HOST_FLAGS   := $(COMMON_FLAGS) -D_GNU_SOURCE
LINK_FLAGS   := $(MODE_$(MODE)) -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -pthread

# --- files: whatever is in the folders --------------------------------------------------------

CORE_SOURCES := $(wildcard $(foreach d,bt vmm mmu devices,$(d)/*.c $(d)/*.S))
HOST_SOURCES := $(wildcard host/process/*.c host/process/*.S) host/stats.c
# The ring-0 host has the core to itself, compiled for a kernel, and what of the other host needs no
# libc and no system calls.
RING0_SOURCES := $(CORE_SOURCES) $(wildcard host/ring0/*.c host/ring0/*.S) host/stats.c \
                 $(patsubst %,host/process/rt_%.c,dfilter fold guest_stack kallsyms lines report sample \
                 screen string symbols symtab text trace)
UNIT_SOURCES := $(filter-out tests/unit/host_stub.c,$(wildcard tests/unit/*.c))
objects       = $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(1))))
CORE_OBJECTS := $(call objects,$(CORE_SOURCES))
HOST_OBJECTS := $(call objects,$(HOST_SOURCES))
RING0_OBJECTS := $(addprefix $(BUILD)/ring0/,$(addsuffix .o,$(basename $(RING0_SOURCES))))
UNIT_TESTS   := $(addprefix $(BUILD)/,$(basename $(UNIT_SOURCES)))

# --- build ------------------------------------------------------------------------------------

.PHONY: all core
all: $(BUILD)/ringone $(BUILD)/ringone.elf ## build build/ringone and ringone.elf (MODE=debug|asan|ubsan|sanitize, CC=gcc|clang)
core: $(BUILD)/libcore.a ## build the freestanding core only

$(BUILD)/ringone: $(HOST_OBJECTS) $(BUILD)/libcore.a $(ZYDIS)/libzydis.a
	@echo '  LD    $@'
	$(Q)$(CC) $(LINK_FLAGS) -o $@ $^ $(LIBS)

$(BUILD)/ringone.elf: $(RING0_OBJECTS) $(BUILD)/ring0/link.ld $(ZYDIS)/libzydis.a
	@echo '  LD    $@'
	$(Q)$(CC) -static -nostdlib -Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack \
		-T $(BUILD)/ring0/link.ld -o $@ $(RING0_OBJECTS) $(ZYDIS)/libzydis.a

$(BUILD)/ring0/link.ld: host/ring0/link.ld host/ring0/layout.h
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -D__ASSEMBLER__ -I. -o $@ $<

$(BUILD)/libcore.a: $(CORE_OBJECTS)
	@echo '  AR    $@'
	$(Q)rm -f $@ && ar rcsD $@ $^

$(ZYDIS)/libzydis.a: host/scripts/build-zydis.sh
	@echo '  ZYDIS $@'
	$(Q)CC="$(CC:afl-%-fast=%)" ZYDIS_DEFINES="$(ZYDIS_DEFINES)" host/scripts/build-zydis.sh $(ZYDIS)

$(CORE_OBJECTS): FLAGS = $(CORE_FLAGS)
$(HOST_OBJECTS): FLAGS = $(HOST_FLAGS)
$(filter $(BUILD)/host/process/rt_%,$(HOST_OBJECTS)): FLAGS = $(HOST_FLAGS) $(LIVE_FPU)
$(RING0_OBJECTS): FLAGS = $(RING0_FLAGS)
$(BUILD)/tests/unit/%.o: FLAGS = $(HOST_FLAGS)

$(BUILD)/%.o: %.c Makefile | $(ZYDIS)/libzydis.a
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(FLAGS) -c -o $@ $<

$(BUILD)/ring0/%.o: %.c Makefile | $(ZYDIS)/libzydis.a
	@mkdir -p $(@D)
	@echo '  CC    $< (ring 0)'
	$(Q)$(CC) $(FLAGS) -c -o $@ $<

$(BUILD)/ring0/%.o: %.S Makefile
	@mkdir -p $(@D)
	@echo '  CC    $< (ring 0)'
	$(Q)$(CC) $(FLAGS) -c -o $@ $<

$(BUILD)/%.o: %.S Makefile | $(ZYDIS)/libzydis.a
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(FLAGS) -c -o $@ $<

-include $(patsubst %.o,%.d,$(CORE_OBJECTS) $(HOST_OBJECTS) $(RING0_OBJECTS)) $(addsuffix .d,$(UNIT_TESTS)) \
         $(wildcard $(BUILD)/tests/unit/host_stub.d $(BUILD)/tests/fuzz/core/*.d)

# --- use --------------------------------------------------------------------------------------

.PHONY: deps guest run
deps: ## install what is missing (packages, decoder, guest images); no network when all is there
	host/scripts/install-packages.sh
	$(MAKE) $(ZYDIS)/libzydis.a guest

guest: $(GUEST)/stamp ## fetch the Debian guest kernels and make the initrd
$(GUEST)/stamp: host/scripts/fetch-guest.sh host/scripts/make-initrd.py host/scripts/guest-init
	host/scripts/fetch-guest.sh $(GUEST)

run: deps ## boot Debian's 686 kernel to a shell on this terminal (Ctrl-A X ends it; ACCEL=ring0)
	$(MAKE) all
	$(BUILD)/ringone -m $(MEMORY) -kernel $(GUEST)/vmlinuz-686 -initrd $(GUEST)/initrd.gz \
		-append "$(APPEND)" -nographic -accel $(ACCEL)

ISO_OPTIONS ?=
.PHONY: iso
iso: deps ## write build/ringone.iso: boots the VMM and Debian's 686 kernel on a PC with a BIOS
	$(MAKE) $(BUILD)/ringone.elf
	host/scripts/make-iso.sh $(BUILD)/ringone.iso $(BUILD)/ringone.elf "-m $(MEMORY)" \
		"-append $(APPEND)" $(ISO_OPTIONS) -- $(GUEST)/vmlinuz-686 $(GUEST)/initrd.gz
	@echo '$(BUILD)/ringone.iso'

# --- tests ------------------------------------------------------------------------------------

export RINGONE ?= $(BUILD)/ringone
export GUEST
RUNNERS := $(wildcard $(addsuffix /run,$(addprefix tests/,insn guest fuzz bench boot ring0)) tests/boot/firmware tests/boot/bad_input.py)

.PHONY: test test-bochs test-ring0 unit unit-programs sanitize check bench bench-ring0 coverage fuzz
test: deps ## run all tests, some of them on the ring-0 host, too
	$(MAKE) all unit
	failed=; for runner in $(RUNNERS); do echo "== $$runner"; $$runner || failed="$$failed $$runner"; done; \
		for form in checked direct; do \
			echo "== guests, all code in $$form form"; \
			tests/guest/run --form $$form || failed="$$failed guest/$$form"; done; \
		echo "== on the ring-0 host"; \
		tests/guest/run --host ring0 || failed="$$failed guest/ring0"; \
		REFERENCE=ring0 tests/boot/run $(RING0_BOOTS) || failed="$$failed boot/ring0"; \
		REFERENCE=ring0 tests/boot/firmware $(RING0_FIRMWARE) || failed="$$failed firmware/ring0"; \
		test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

# `make test` runs these few on the ring-0 host, test-ring0 all.
RING0_BOOTS    := ctrl_c digests_are_right[686-pae] processes_come_and_go[686] is_an_error \
                  elf_kernel triple_fault_says profile_names profile_goes_on
RING0_FIRMWARE := bios_runs snapshot every_reset invaders

test-ring0: deps ## all guest, boot and firmware tests on the ring-0 host (many minutes)
	$(MAKE) all
	failed=; tests/guest/run --host ring0 || failed=1; tests/ring0/run || failed=1; \
		REFERENCE=ring0 tests/boot/run || failed=1; \
		REFERENCE=ring0 tests/boot/firmware || failed=1; test -z "$$failed"

unit-programs: $(UNIT_TESTS)
unit: unit-programs ## run the unit tests only
	tests/unit/run $(UNIT_TESTS)

# tests/unit/process_*.c test the process host itself; all others run on the stub host.
PROCESS_TESTS := $(filter $(BUILD)/tests/unit/process_%,$(UNIT_TESTS))
$(PROCESS_TESTS): %: %.o $(filter-out %/main.o,$(HOST_OBJECTS))
$(filter-out $(PROCESS_TESTS),$(UNIT_TESTS)): %: %.o $(BUILD)/tests/unit/host_stub.o
$(UNIT_TESTS): $(BUILD)/libcore.a $(ZYDIS)/libzydis.a
	@echo '  LD    $@'
	$(Q)$(CC) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LIBS)

# Fuzzers with the core in them: libFuzzer on the stub host.
FUZZERS      := frontend devices tables
$(BUILD)/tests/fuzz/core/%.o: FLAGS = $(HOST_FLAGS) -fno-sanitize=fuzzer-no-link
$(BUILD)/fuzz-frontend: $(BUILD)/tests/fuzz/core/verify.o
$(FUZZERS:%=$(BUILD)/fuzz-%): $(BUILD)/fuzz-%: $(BUILD)/tests/fuzz/core/%.o \
		$(BUILD)/tests/unit/host_stub.o $(BUILD)/libcore.a $(ZYDIS)/libzydis.a
	@echo '  LD    $@'
	$(Q)$(CC) $(LINK_FLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcapstone -lcmocka $(LIBS)

test-bochs: deps ## the guest tests on Bochs, alone and on the ring-0 host (some minutes)
	host/scripts/install-packages.sh bochs
	$(MAKE) $(BUILD)/ringone.elf
	tests/guest/run --reference bochs --timeout 300
	tests/ring0/bochs

# A boot of each kernel, the guest tests and a short fuzz run with both sanitizers.
sanitize: deps ## unit, guest, fuzz and boot tests with asan and ubsan
	$(MAKE) MODE=sanitize all unit
	set -e; export RINGONE=build/sanitize/ringone; \
		tests/guest/run; \
		tests/fuzz/run --first 1000 --seeds 3; \
		tests/boot/run command_list processes_come_and_go[686]

check: deps ## what CI checks: both compilers, format, clang-tidy, headers, freestanding core
	+tests/check/run

coverage: all ## which rows of bt/insn.def the tests run (fails below all)
	host/scripts/coverage.sh $(BUILD)/ringone $(BUILD)/coverage

# Against the CPU, in all forms; libFuzzer on the core; AFL++ on the monitor; random guests with both
# sanitizers.
FUZZ_MINUTES ?= 60
FUZZ_SEED    ?= $(shell date +%s)
fuzz: deps ## compare with the real CPU, then fuzz, FUZZ_MINUTES (60) each
	host/scripts/install-packages.sh afl
	$(MAKE) all
	$(MAKE) MODE=sanitize build/sanitize/ringone
	failed=; for run in \
		"tests/insn/run --seed $(FUZZ_SEED) --minutes $(FUZZ_MINUTES) $(FUZZ_CASES:%=--cases %) --form checked --form direct --form short --timer 500 --count" \
		"tests/fuzz/core/run --seed $(FUZZ_SEED) --minutes $(FUZZ_MINUTES)" \
		"tests/fuzz/afl/run --seed $(FUZZ_SEED) --minutes $(FUZZ_MINUTES)" \
		"env RINGONE=build/sanitize/ringone tests/fuzz/run --first $(FUZZ_SEED) --minutes $(FUZZ_MINUTES)"; \
		do echo "== $$run"; $$run || failed=yes; done; test -z "$$failed"

bench: deps ## ringone beside native and QEMU TCG (QUICK=1: under three minutes; BENCH=--help)
	$(MAKE) all
	bench/run.py $(if $(QUICK),--quick) $(BENCH)
ifeq ($(BENCH),)
	bench/icount.py --vmm $(BUILD)/ringone.elf $(if $(QUICK),--no-counters --divisor 8)
	(printf '\n## Ring-0 host, in executed instructions\n\n'; cat build/bench/ring0.md) >>build/bench/report.md
endif

bench-ring0: deps ## the ring-0 host beside the bare machine, in executed instructions
	$(MAKE) $(BUILD)/ringone.elf
	bench/icount.py --vmm $(BUILD)/ringone.elf $(BENCH)

# --- housekeeping -----------------------------------------------------------------------------

.PHONY: clean format help
format: ## lay out all C files as clang-format says
	find bt vmm mmu devices host tests bench -name '*.[ch]' -exec clang-format -i {} +

clean: ## remove build/ (downloads stay cached)
	rm -rf build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# For the checks: make print-CORE_FLAGS
print-%:
	@echo '$($*)'

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
