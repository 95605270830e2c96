#!/usr/bin/env python3
"""Names for guest addresses: traces, the panic report, and what is said about guests that die.

    tests/boot/symbols.py [NAME...]     all tests, or those whose name contains a NAME

tests/boot/run runs them too. Environment: see machine.py.
"""

import base64
import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from machine import (  # noqa: E402
    ACCEL,
    INIT_REACHED,
    MONITOR,
    PROMPT,
    Machine,
    MachineError,
    boot_options,
    run_parameter,
)
from suite import Suite  # noqa: E402

KERNELS = ["686", "686-pae"]
SAMPLES = 100
ABORTED = -6
FRAME = r"^  (?:\? )?[0-9a-f]{8} <([^+]+)\+0x"  # a line of a backtrace; its function
SUITE = Suite("symbols")
test = SUITE.test


def check(condition, text):
    if not condition:
        raise MachineError(text)


def boot_traced(folder, script, *options, kernel="686", append="quiet"):
    """Runs a script in the guest to its end with a trace; returns the output and the trace."""
    arguments = boot_options(kernel=kernel, append=f"{append} {run_parameter(script)}")
    path = os.path.join(folder, "trace")
    with Machine(MONITOR + arguments + ["-D", path] + list(options)) as machine:
        machine.expect(INIT_REACHED + r"\n")
        start = machine.seen
        match, _ = machine.expect(r"^ringone: run ended, status 0\n", 300)
        status = machine.wait()
        check(status == 0, f"exit status {status}")
        with open(path, encoding="ascii") as file:
            return machine.output[start : match.start()], file.read()


def guest_symbols(output):
    """What the guest said of itself: gzip -9 </proc/kallsyms | base64."""
    lines = gzip.decompress(base64.b64decode(output)).decode().splitlines()
    symbols = {}
    for line in lines:
        address, _, name = line.split()[:3]
        symbols.setdefault(int(address, 16), set()).add(name)
    return symbols


@test(*KERNELS)
def names_are_the_guests_own(kernel):
    """Each run puts the kernel elsewhere (KASLR); the trace must agree with that run's kernel."""
    with tempfile.TemporaryDirectory() as folder:
        output, text = boot_traced(
            folder, "gzip -9 </proc/kallsyms | base64", "-d", "in_asm", kernel=kernel
        )
    guest = guest_symbols(output)
    check(len(guest) > 10000, f"the guest names {len(guest)} addresses")
    starts = sorted(guest)
    places = re.findall(r"^0x([0-9a-f]{8}) <([^+]+)\+0x([0-9a-f]+)>:", text, re.MULTILINE)
    seen = {}
    for address, name, offset in places:
        seen.setdefault((int(address, 16) - int(offset, 16), name), int(address, 16))
    check(len(seen) > 1000, f"the trace names {len(seen)} functions")
    check(any(name == "start_kernel" for _, name in seen), "start_kernel is not named")
    step = len(seen) // SAMPLES
    for (start, name), address in sorted(seen.items())[::step]:
        check(name in guest.get(start, ()), f"{name} is not at {start:08x} in the guest")
        # and no other symbol lies between
        nearest = max(s for s in starts if s <= address)
        check(nearest == start, f"{address:08x} is in {guest[nearest]}, not in {name}")


@test()
def one_function_alone_can_be_traced():
    with tempfile.TemporaryDirectory() as folder:
        _, text = boot_traced(
            folder, "true", "-d", "in_asm,out_asm,int", "-dfilter", "start_kernel"
        )
    names = set(re.findall(r"^IN: <([^+]+)\+", text, re.MULTILINE))
    check(names == {"start_kernel"}, f"the trace is about {sorted(names)[:5]}")
    check("\nOUT: [size=" in text, "no translation in the trace")
    events = re.findall(r"^int: .*", text, re.MULTILINE)
    check(all(" <start_kernel+0x" in event for event in events), f"{events[:1]}")
    guest = set(re.findall(r"-- guest addr 0x\S+ <([^+]+)\+", text))
    check(guest == {"start_kernel"}, f"translations of {sorted(guest)[:5]}")
    check(re.search(r"\n0x[0-9a-f]+: .* <thunk exit\+0x0>\n", text), "no thunk is named")


@test()
def system_map_moves_with_the_kernel():
    """-symbols has the addresses of the link; the running kernel tells how far it has moved."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "System.map")
        with open(path, "w", encoding="ascii") as file:
            file.write("c1000000 T _text\nc1000000 T startup_32\nc1000040 T past_the_start\n")
        _, text = boot_traced(
            folder, "true", "-d", "in_asm", "-dfilter", "past_the_start", "-symbols", path
        )
    found = re.findall(r"^IN: <past_the_start\+0x([0-9a-f]+)> cs:eip \S+:([0-9a-f]+)", text, re.M)
    check(found, "the name is not in the trace")
    bases = {int(address, 16) - int(offset, 16) for offset, address in found}
    check(len(bases) == 1, f"the name is at {sorted(bases)}")
    check(bases.pop() & 0xFFF == 0x040, "the name is not where the file says")


# --- reports ------------------------------------------------------------------------------------


def panic_report_after(seconds, signal_name, *options):
    """What ringone says when it is made to panic that long after the guest's prompt."""
    command = MONITOR + boot_options(append="quiet")
    with Machine(command + ["-accel", ACCEL + ",panic-on-signal=on"] + list(options)) as machine:
        machine.expect(PROMPT)
        time.sleep(seconds)
        os.kill(machine.process.pid, getattr(signal, signal_name))
        machine.expect(f"ringone: internal error: asked for by {signal_name}\n")
        start = machine.seen
        status = machine.wait()
        check(status == ABORTED, f"exit status {status}")
        check(machine.terminal_restored(), "the terminal was left in another mode")
        return machine.output[start:]


def panic_report(signal_name, *options):
    """The same with the guest idle, as it is sooner or later."""
    for seconds in [0.2, 2, 10]:
        report = panic_report_after(seconds, signal_name, *options)
        if " HLT=1 " in report:
            return report
    raise MachineError("the guest is never idle")


def check_report(report):
    check(re.search(r"^EAX=[0-9a-f]{8} EBX=", report, re.M), "no registers")
    check(re.search(r"^EIP=[0-9a-f]{8} .*<[^>]+\+0x", report, re.M), "no name at EIP")
    check(re.search(r"^CR0=[0-9a-f]{8} CR2=", report, re.M), "no control registers")
    check(re.search(r"^Code=([0-9a-f]{2} ){16}", report, re.M), "no code")
    blocks = report.split("last blocks dispatched")[1].split("guest backtrace")[0]
    check(len(re.findall(r"^  (?:\d+ times )?[0-9a-f]{8} <", blocks, re.M)) >= 2, "no recent blocks")
    frames = re.findall(FRAME, report.split("guest backtrace")[1], re.M)
    # an idle Linux is several calls below rest_init(), on all kernels
    for name in ["do_idle", "cpu_startup_entry", "rest_init"]:
        check(name in frames, f"{name} is no caller")


@test()
def panic_reports_where_the_guest_is():
    check_report(panic_report("SIGUSR1"))


@test()
def panic_in_a_signal_handler_reports_too():
    report = panic_report("SIGUSR2")
    check(re.search(r"^host RIP=[0-9a-f]{16} RFL=", report, re.M), "no host state")
    check_report(report)


@test()
def panic_without_the_sandbox_is_the_same():
    check_report(panic_report("SIGUSR2", "-sandbox", "off"))


@test()
def guest_panic_is_traced():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace")
        command = MONITOR + boot_options(append="quiet panic=1")
        command += ["-no-reboot", "-d", "guest_errors", "-D", path]
        with Machine(command) as machine:
            machine.expect(PROMPT)
            machine.send("echo c >/proc/sysrq-trigger\n")
            status = machine.wait()
            check(status == 0, f"exit status {status}")
        with open(path, encoding="ascii") as file:
            text = file.read()
    check('guest kernel panics: "sysrq triggered crash"\n' in text, "the panic is not told")
    report = text.split("guest kernel panics")[1]
    for name in ["sysrq_handle_crash", "write_sysrq_trigger", "vfs_write", "ksys_write"]:
        check(name in re.findall(FRAME, report, re.M), f"{name} is no caller")


# --- an ELF kernel of our own -------------------------------------------------------------------

GUEST_SOURCE = """
__asm__(".section .multiboot, \\"a\\"\\n .long 0x1badb002, 0, -0x1badb002\\n .text\\n"
        ".globl _start\\n _start: mov $stack + 4096, %esp\\n xor %ebp, %ebp\\n"
        "call outer\\n jmp .");
char stack[4096];
struct { unsigned short limit; unsigned base; } __attribute__((packed)) none;
volatile unsigned turns;
__attribute__((noinline)) void inner(void) {
#ifdef DIE
    __asm__ volatile("lidt none\\n int3");
#endif
    for (const char *s = "spinning\\n"; *s; s++)
        __asm__ volatile("outb %0, %1" : : "a"(*s), "Nd"((unsigned short)0x3f8));
    for (;;)
        turns++;
}
__attribute__((noinline)) void middle(void) {
    inner();
    turns = 0;
}
__attribute__((noinline)) void outer(void) {
    middle();
    turns = 0;
}
"""


def make_guest(folder, *flags, text=GUEST_SOURCE):
    source, script, kernel = (os.path.join(folder, n) for n in ["guest.c", "guest.ld", "kernel"])
    with open(source, "w", encoding="ascii") as file:
        file.write(text)
    with open(script, "w", encoding="ascii") as file:
        file.write(
            "ENTRY(_start) SECTIONS { . = 0x100000; .text : { *(.multiboot) *(.text*) }"
            " . = ALIGN(4096); .data : { *(.data*) *(.rodata*) *(.bss*) *(COMMON) } /DISCARD/ : { *(.note*)"
            " *(.eh_frame*) } }"
        )
    done = subprocess.run(
        ["gcc", "-m32", "-O1", "-g", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pic",
         "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-fcf-protection=none",
         "-Wl,--build-id=none,--no-warn-rwx-segments", "-T", script, "-o", kernel, source, *flags],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    check(done.returncode == 0, f"the guest does not compile: {done.stdout}")
    return kernel


def own_kernel(kernel, *options):
    return MONITOR + ["-m", "16", "-kernel", kernel, "-nographic", *options]


@test("SIGUSR1", "SIGUSR2")
def elf_kernel_has_names_and_a_backtrace(signal_name):
    """A guest that does not idle: the panic catches it in the middle of translated code."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace")
        command = own_kernel(make_guest(folder), "-accel", ACCEL + ",panic-on-signal=on", "-d",
                             "in_asm", "-D", path)  # fmt: skip
        with Machine(command) as machine:
            machine.expect("^spinning\n")
            os.kill(machine.process.pid, getattr(signal, signal_name))
            machine.expect(f"asked for by {signal_name}\n")
            start = machine.seen
            check(machine.wait() == ABORTED, "exit status")
            report = machine.output[start:]
        with open(path, encoding="ascii") as file:
            text = file.read()
    frames = re.findall(FRAME, report.split("guest backtrace")[1], re.M)
    check(frames[:4] == ["inner", "middle", "outer", "_start"], f"frames {frames}")
    # the guest's output comes from host code, so the signal may find that at work still
    if "the guest was interrupted in translated code" in report:
        check(re.search(r"^host RIP=.* <translation of [0-9a-f]{8} <inner\+", report, re.M),
              "the host's RIP is not explained")  # fmt: skip
    # the source's lines come from the file's DWARF
    check(re.search(r"<inner\+0x[0-9a-f]+ \S*guest\.c:1\d>", text), "no line in the trace")


@test()
def triple_fault_says_where():
    with tempfile.TemporaryDirectory() as folder:
        command = own_kernel(make_guest(folder, "-DDIE"), "-no-reboot", "-d", "guest_errors")
        with Machine(command) as machine:
            status = machine.wait()
            check(status == 0, f"exit status {status}")
            text = machine.output
    check(re.search(r"^ringone: guest triple fault at 0010:[0-9a-f]{8} <inner\+0x", text, re.M),
          "no place")  # fmt: skip
    check("guest_errors: double fault, 0d while delivering" in text, "the double fault is not told")
    report = text.split("guest_errors: triple fault")[1]
    frames = re.findall(FRAME, report.split("guest backtrace")[1], re.M)
    check(frames[:4] == ["inner", "middle", "outer", "_start"], f"frames {frames}")


@test()
def bad_symbol_files_and_filters_are_errors():
    with tempfile.TemporaryDirectory() as folder:
        kernel = make_guest(folder)
        cases = [
            (["-symbols", "/nonexistent"], "-symbols: cannot read '/nonexistent': No such file"),
            (["-symbols", __file__], f"-symbols: '{__file__}' is neither an ELF file with symbols"),
            (["-dfilter", "1+"], "-dfilter: '1+' is not one of START+LENGTH"),
        ]
        for options, message in cases:
            done = subprocess.run(own_kernel(kernel, *options), stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=60)  # fmt: skip
            check(done.returncode == 2, f"{options}: exit status {done.returncode}")
            check(done.stderr.startswith("ringone: " + message), f"{options}: {done.stderr!r}")


if __name__ == "__main__":
    sys.exit(SUITE.main())
