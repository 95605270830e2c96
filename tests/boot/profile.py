#!/usr/bin/env python3
"""-profile: that the file has the right form and says what the guest and the VMM were doing.

    tests/boot/profile.py [NAME...]     all tests, or those whose name contains a NAME

tests/boot/run runs them too. Environment: see machine.py.
"""

import os
import re
import signal
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
    boot_options,
    run_parameter,
)
from suite import Suite  # noqa: E402
from symbols import check, make_guest, own_kernel  # noqa: E402

SUITE = Suite("profile", "profile_")
test = SUITE.test
LINE = re.compile(r"([^ ;][^;]*(?:;[^ ;][^;]*)*) ([0-9]+)")
SECONDS = 0.4  # of processor time that a guest is watched for


def read_profile(path):
    """The samples of each call chain, a tuple of frames; each chain must stand there once."""
    chains = {}
    with open(path, encoding="ascii") as file:
        for line in file.read().splitlines():
            match = LINE.fullmatch(line)
            check(match, f"not a folded line: {line!r}")
            frames, count = tuple(match[1].split(";")), int(match[2])
            check(count > 0, f"no samples: {line!r}")
            check(frames not in chains, f"twice: {line!r}")
            chains[frames] = count
    return chains


def samples(chains, *frames):
    """How many samples have these frames, one directly upon the other."""
    n = len(frames)
    return sum(
        count
        for chain, count in chains.items()
        if any(chain[i : i + n] == frames for i in range(len(chain)))
    )


def cpu_seconds(session):
    """Of all processes of the session: the machine, and on the ring-0 host the one that emulates a PC."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def run_for_a_while(machine):
    end = cpu_seconds(machine.process.pid) + SECONDS
    give_up = time.monotonic() + 60
    while cpu_seconds(machine.process.pid) < end and time.monotonic() < give_up:
        time.sleep(0.05)


# --- a kernel of our own that does one thing ------------------------------------------------------

SOURCE = r"""
__asm__(".section .multiboot, \"a\"\n .long 0x1badb002, 0, -0x1badb002\n .text\n"
        ".globl _start\n _start: mov $stack + 4096, %esp\n xor %ebp, %ebp\n"
        "call outer\n jmp .\n"
        ".globl empty_handler\n empty_handler: iret\n");
void empty_handler(void);
char stack[4096];
volatile unsigned turns;
static unsigned directory[1024] __attribute__((aligned(4096)));
static unsigned idt[512] __attribute__((aligned(8)));
struct { unsigned short limit; unsigned base; } __attribute__((packed)) idtr;
static volatile char pages[64][4096] __attribute__((aligned(4096)));
static volatile unsigned table[1024] __attribute__((aligned(4096)));
enum { AT = 64 << 20 }; /* where table is for */

static void out(unsigned short port, unsigned char value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
__attribute__((noinline)) void spin(void) {
    for (unsigned i = 0; i < 1000; i++)
        turns++;
}
__attribute__((noinline)) void ports(void) {
    out(0x80, 1);
}
__attribute__((noinline)) void cpuid(void) {
    unsigned a = 0;
    __asm__ volatile("cpuid" : "+a"(a) : : "ebx", "ecx", "edx", "memory");
}
__attribute__((noinline)) void interrupts(void) {
    __asm__ volatile("int $0x80" : : : "memory");
}
__attribute__((noinline)) void misses(void) {
    static unsigned round;
    round++;
    for (unsigned i = 0; i < 64; i++) {
        volatile char *p = (volatile char *)(AT + i * 4096);
        table[i] = (unsigned)pages[(i + round) % 64] | 3;
        __asm__ volatile("invlpg %0" : : "m"(*p));
        ++*p;
    }
}
__attribute__((noinline)) void device_memory(void) {
    /* planar graphics memory, which is no plain memory */
    turns += *(volatile unsigned char *)0xa0000;
}
__attribute__((noinline)) void rewrite(void) {
    /* mov $n, %eax; ret, another n each time */
    static volatile unsigned char code[4096] __attribute__((aligned(4096)));
    code[0] = 0xb8;
    code[1]++;
    code[5] = 0xc3;
    ((void (*)(void))(unsigned)code)();
}
__attribute__((noinline)) void restart(void) {
    for (unsigned i = 0; i < 20000; i++)
        spin();
    out(0x64, 0xfe);
}
__attribute__((noinline)) void halt(void) {
    __asm__ volatile("cli\n hlt");
}
__attribute__((noinline)) void middle(void) {
    BODY();
    turns++;
}
__attribute__((noinline)) void outer(void) {
    for (unsigned i = 0; i < 1024; i++)
        directory[i] = i << 22 | 0x83;
    directory[AT >> 22] = (unsigned)table | 3;
    __asm__ volatile("mov %0, %%cr4\n mov %1, %%cr3\n mov %%cr0, %%eax\n or $0x80000000, %%eax\n"
                     "mov %%eax, %%cr0" : : "r"(0x10), "r"(directory) : "eax", "memory");
    unsigned handler = (unsigned)empty_handler;
    unsigned short cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    idt[2 * 0x80] = (unsigned)cs << 16 | (handler & 0xffff);
    idt[2 * 0x80 + 1] = (handler & 0xffff0000) | 0x8e00;
    idtr.limit = sizeof idt - 1;
    idtr.base = (unsigned)idt;
    __asm__ volatile("lidt idtr");
    for (const char *s = "running\n"; *s; s++)
        out(0x3f8, *s);
    for (;;)
        middle();
}
"""


def profile_of(body, *options, end=os.kill, how=signal.SIGTERM):
    """The profile of a guest that does one thing until a signal."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile")
        kernel = make_guest(folder, f"-DBODY={body}", text=SOURCE)
        with Machine(own_kernel(kernel, "-profile", path, *options)) as machine:
            machine.expect("^running\n")
            run_for_a_while(machine)
            end(machine.process.pid, how)
            status = machine.wait()
            check(status == -how, f"exit status {status}: {machine.output[-200:]!r}")
        return read_profile(path)


@test()
def names_the_function_and_its_callers():
    chains = profile_of("spin")
    leader = max(chains, key=chains.get)
    check(leader == ("kernel", "_start", "outer", "middle", "spin"), f"{leader} leads")
    total = sum(chains.values())
    check(chains[leader] > total / 2, f"{chains[leader]} of {total} samples")


@test("SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM")
def signals_to_all_end_it_well(name):
    """A terminal, or timeout(1), sends them to all processes of a group."""
    chains = profile_of("spin", end=os.killpg, how=getattr(signal, name))
    check(samples(chains, "outer", "middle", "spin") > 0, f"no spin: {chains}")


# what the guest does, the frames of which most of its samples must be
@test(
    "ports:[callout out]:[port 0x80]",
    "cpuid:[callout cpuid]",
)
def names_the_cause(case):
    body, *cause = case.split(":")
    chains = profile_of(body)
    found, total = samples(chains, body, *cause), samples(chains, body)
    check(found > total / 3 > 0, f"{found} of {total} samples: {chains}")


@test(
    "interrupts:[callout int_n]:[callout iret]",
    "misses:[window fill]:[callout invlpg]",
    "device_memory:[checked access]:[MMIO]",
)
def tells_causes_apart(case):
    body, *causes = case.split(":")
    chains = profile_of(body)
    for cause in causes:
        place = "empty_handler" if "iret" in cause else body
        check(samples(chains, place, cause) > 0, f"no {cause} in {place}: {chains}")


@test()
def counts_translating():
    """Code that is changed all the time is translated again each time."""
    chains = profile_of("rewrite")
    check(samples(chains, "[translating]") > 0, f"{chains}")


@test()
def goes_on_across_resets():
    """A guest that is restarted all the time. (It can be ended, too.)"""
    chains = profile_of("restart")
    check(samples(chains, "middle", "restart", "spin") > 0, f"no names across a reset: {chains}")


@test()
def does_not_count_idle_time():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile")
        kernel = make_guest(folder, "-DBODY=halt", text=SOURCE)
        with Machine(own_kernel(kernel, "-profile", path)) as machine:
            machine.expect("^running\n")
            time.sleep(2)
            os.kill(machine.process.pid, signal.SIGTERM)
            machine.wait()
        total = sum(read_profile(path).values())
        check(total < 500, f"{total} samples of an idle guest in 2 s")


# --- Linux ----------------------------------------------------------------------------------------


@test(*["direct"] if ACCEL == "ring0" else ["checked", "direct"])
def linux_boot(form):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile")
        script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; ls -lR /proc/self >/dev/null"
        command = MONITOR + boot_options(append="quiet " + run_parameter(script))
        command += ["-profile", path]
        if form == "checked":
            command += ["-accel", "process,form=checked"]
        with Machine(command) as machine:
            machine.expect(INIT_REACHED + r"\n")
            status = machine.wait(300)
            check(status == 0, f"exit status {status}")
        chains = read_profile(path)
    total = sum(chains.values())
    check(total > 100, f"{total} samples")
    # the kernel's names and its frame pointers
    below = samples(chains, "i386_start_kernel", "start_kernel")
    check(below > 0, "nothing below start_kernel")
    check(samples(chains, "kernel_init", "kernel_init_freeable") > 0, "no kernel_init_freeable")
    check(any(chain[0] == "user" for chain in chains), "no user code")
    check(samples(chains, "[translating]") > 0, "no translating")
    callouts = {frame for chain in chains for frame in chain if frame.startswith("[callout ")}
    check(len(callouts) >= 3, f"callouts: {callouts}")
    if form == "checked":
        check(samples(chains, "[checked access]") > 0, "no checked access")
    else:
        check(samples(chains, "[window fill]") > 0, "no window fill")
    translated = sum(n for chain, n in chains.items() if not chain[-1].startswith("["))
    check(translated > total / 10, f"{translated} of {total} samples in translated code")


@test()
def quitting_writes_the_file():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile")
        command = MONITOR + boot_options(append="quiet") + ["-profile", path]
        with Machine(command) as machine:
            machine.expect(PROMPT)
            machine.send("\x01x")
            status = machine.wait()
            check(status == 0, f"exit status {status}")
        check(samples(read_profile(path), "i386_start_kernel", "start_kernel") > 0, "no start_kernel")


@test()
def full_disk_is_told():
    with tempfile.TemporaryDirectory() as folder:
        kernel = make_guest(folder, "-DBODY=spin", text=SOURCE)
        with Machine(own_kernel(kernel, "-profile", "/dev/full")) as machine:
            machine.expect("^running\n")
            run_for_a_while(machine)
            machine.send("\x01x")
            machine.wait()
            check("ringone: -profile: No space left on device\n" in machine.output, machine.output)


if __name__ == "__main__":
    sys.exit(SUITE.main())
