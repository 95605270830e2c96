"""Event costs (bench/events/): running the measuring guest, and the published figures beside them."""

import os
import re
import subprocess

import build
from machine import RINGONE, QEMU, Machine, MachineError
from rows import Row

SECONDS = 60
CALL_OVER_NATIVE = 15

# Names as bench/events/*.c print them.
NAMES = [
    "system call INT 80h",
    "system call SYSENTER",
    "IN from port 80h",
    "MMIO read, no device",
    "CR3 write",
    "context switch (CR3, stack)",
    "CR0.TS set, CLTS",
    "CR4.PGE off and on",
    "call/ret",
    "call/ret, ring 3",
    "indirect jump",
    "indirect jump, ring 3",
    "page fault",
    "demand page",
    "divide fault",
    "PTE write",
    "PTE write, INVLPG",
    "PTE write, INVLPG, load",
    "INVLPG",
    "interrupt",
    "INT and IRET in ring 0",
    "IRET",
    "STI/CLI",
    "PUSHF/POPF",
    "PUSHF/POPF, ring 3",
    "RDTSC",
    "RDTSC, ring 3",
    "CPUID",
    "CPUID, ring 3",
    "segment load",
    "segment load, ring 3",
]
NATIVE_NAMES = [name for name in NAMES if name.endswith("ring 3")]

# Adams and Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization", ASPLOS
# 2006, on a 3.8 GHz Pentium 4: native, binary translation, VT-x of the first generation. Of the
# system call the text gives only the difference.
PAPER = {
    "system call INT 80h": ("", "native + 2000", "native"),
    "system call SYSENTER": ("", "native + 2000", "native"),
    "IN from port 80h": (3209, 214, 15826),
    "call/ret": (11, 51, 11),
    "call/ret, ring 3": (11, 51, 11),
    "page fault": (1093, 3927, 11242),
    "divide fault": (889, 3223, 1014),
    "PTE write": (1, 391, 12733),
}
# Bounds in cycles for ringone. The system call's is taken as if native cost nothing.
BOUNDS = {
    "system call INT 80h": 2000,
    "system call SYSENTER": 2000,
    "IN from port 80h": 214,
    "page fault": 3927,
    "divide fault": 3223,
    "PTE write": 391,
}

EXPLANATION = [
    "Cycles of the time stamp counter for one event, median (of the repetitions' medians); the loop "
    "itself is taken off. A demand page is one that a fault maps, a user program reads and the kernel "
    "unmaps again; the interrupt is the serial port's, without its port accesses. Measured by a guest of ours that maps memory as operating systems do. Native is "
    "an ordinary 32-bit process, so only what needs no privilege has a figure; on a virtual machine CPUID "
    "traps natively, too. The last three columns are those of Adams and Agesen, ASPLOS 2006 (Pentium 4, "
    "3.8 GHz).",
]

_GUEST_FLAGS = (
    "-m32 -march=pentium3 -std=gnu11 -O1 -g0 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-pic "
    "-fno-pie -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none "
    "-mgeneral-regs-only -fno-strict-aliasing -static -Wl,--build-id=none -Wl,-z,noexecstack"
).split()
_LINK_GUEST = "-Wl,-m,elf_i386 -Wl,--no-warn-rwx-segments".split()


def _folder_files(folder, *ends):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(ends)]


def _build(folder):
    """Returns the paths of the guest, the native program and the host's."""
    here = os.path.join(build.BENCH, "events")
    library = os.path.join(build.ROOT, "tests/guest/lib")
    sources = _folder_files(here, ".c", ".S", ".h") + _folder_files(library, ".c", ".S", ".h", ".ld")
    sources.append(__file__)
    guest, native, limit = (os.path.join(folder, f"events-{n}") for n in ("guest", "native", "host"))
    os.makedirs(folder, exist_ok=True)

    def at(*names):
        return [os.path.join(here, name) for name in names]

    cc = build.compiler()
    if not build.newer(guest, sources):
        script = ["-T", os.path.join(library, "link.ld"), "-I", library]
        parts = at("guest.c", "measure.c", "plain.S", "user.S", "kernel.S")
        parts += _folder_files(library, ".c", ".S")
        build.run([cc, *_GUEST_FLAGS, *_LINK_GUEST, *script, "-o", guest, *parts])
    if not build.newer(native, sources):
        parts = at("native.c", "measure.c", "plain.S")
        build.run([cc, *_GUEST_FLAGS, "-DNATIVE", "-o", native, *parts])
    if not build.newer(limit, sources):
        flags = "-std=gnu11 -O2 -Wall -Wextra -Werror".split()
        build.run([cc, *flags, "-o", limit, *at("host_limit.c")])
    return guest, native, limit


class Host:
    """The host's time stamp counter and what its primitives cost."""

    def __init__(self, folder):
        _, _, limit = _build(folder)
        done = subprocess.run([limit], capture_output=True, text=True, timeout=SECONDS, check=True)
        self.tsc_hz = float(re.search(r"^tsc\t(\d+)", done.stdout, re.M).group(1))
        self.primitives = _parse(done.stdout)


def _parse(text):
    """{name: cycles, median} of the event lines."""
    found = re.findall(r"^event\t([^\t\n]+)\t(\d+)\t(\d+)$", text, re.M)
    return {name: int(median) / 100 for name, _, median in found}


def _scale(machine, tsc_hz):
    """Host cycles a guest cycle. 1 where the guest sees the host's counter; a translator may also make
    its own, at another rate."""
    match, begin = machine.expect(r"^clock\t([0-9a-f]{16})\n", SECONDS)
    first = int(match.group(1), 16)
    match, end = machine.expect(r"^clock\t([0-9a-f]{16})\n", SECONDS)
    hz = (int(match.group(1), 16) - first) / (end - begin)
    return 1 if abs(tsc_hz / hz - 1) < 0.03 else tsc_hz / hz


class Events:
    """The unit of run.py: all events of a system in one run."""

    def __init__(self):
        self.all_rows = [Row(name, "event", "") for name in NAMES]

    def rows(self, system):
        if system == "native64":
            return []
        return [r for r in self.all_rows if system != "native" or r.name in NATIVE_NAMES]

    def run(self, system, rows, settings, say, tick):
        guest, native, _ = _build(os.path.join(settings.output, "programs"))
        say("event costs")
        options = ["-m", "64", "-kernel", guest, "-nographic", "-no-reboot"]
        command = {
            "native": [native],
            "ringone": [RINGONE, *options],
            "qemu": [*QEMU, "-vga", "none", "-nic", "none", *options],
        }[system]
        failed, scale = "not measured", 1
        with Machine(command, tick) as machine:
            try:
                if system != "native":
                    scale = _scale(machine, settings.tsc_hz)
                machine.wait(SECONDS)
            except MachineError as error:
                failed = f"{error}; last output: {machine.output[-200:].strip()!r}"
            found = _parse(machine.output)
        for row in rows:
            if row.name in found:
                yield row, {"cycles": found[row.name] * scale}
            else:
                yield row, {"failed": failed}


def costs(results):
    """{event: {system: cycles}}."""
    out = {}
    for row in results.rows:
        out[row.name] = {}
        for system in results.systems:
            cycles = results.median_of(row, system, "cycles")
            if cycles is not None:
                out[row.name][system] = cycles
    return out


def _cycles(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(found, systems):
    out = [["event", *systems, "paper: native", "translated", "VT-x"]]
    for name, by_system in found.items():
        cells = [_cycles(by_system.get(system)) for system in systems]
        out.append([name, *cells, *(str(v) or "-" for v in PAPER.get(name, ("-", "-", "-")))])
    return out


def host_table(host):
    out = [["host primitive, 64-bit process", "cycles"]]
    return out + [[name, _cycles(value)] for name, value in host.primitives.items()]


def verdicts(found):
    """Rows for the table of targets: (name, bound, measured, passed or None)."""
    if not any("ringone" in by_system for by_system in found.values()):
        return
    for name, bound in BOUNDS.items():
        if name in found:
            value = found[name].get("ringone")
            passed = None if value is None else value <= bound
            yield f"{name}, cycles", f"≤ {bound}", _cycles(value), passed
    native = found.get("call/ret, ring 3", {}).get("native")
    for name in ("call/ret", "call/ret, ring 3"):
        value = found.get(name, {}).get("ringone")
        if value is None:
            continue
        # Without a native figure only less than the allowance itself is sure to be within it.
        passed = value <= (native or 0) + CALL_OVER_NATIVE
        bound = f"≤ {CALL_OVER_NATIVE} over native"
        yield f"{name}, cycles", bound, _cycles(value), passed if passed or native is not None else None
