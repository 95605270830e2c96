#!/usr/bin/env python3
"""ringone beside QEMU TCG and the bare processor, in one run.

The same Debian guest with the same memory runs the same shell script under
ringone and `qemu-system-i386 -accel tcg`; the same 32-bit static busybox runs
it natively. The systems take turns (A B C A B C ...), so that whatever else the
machine does falls on all of them; the table gives medians.

Times are the host's clock at the marker lines on the serial port. The guest's
own clock is part of what is tested, so it is not asked.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))

from machine import (  # noqa: E402
    GUEST,
    INIT_REACHED,
    RINGONE,
    Machine,
    MachineError,
    boot_options,
    monitor,
    run_parameter,
)

SECONDS_PER_WORKLOAD = 300
BOOT = "boot to init"


def workloads(scale):
    """(name, shell text) in order. $B is the folder of the busybox links; /tmp/z is all zeros."""
    mib, steps, forks, blocks = (max(1, n // scale) for n in (64, 200000, 1000, 1000000))
    loop = "i=0; while [ $i -lt %d ]; do %si=$((i+1)); done"
    dd = "$B/dd if=/dev/zero of=/dev/null bs=1 count=%d 2>&1 | $B/grep out"
    return mib, [
        (f"sha256sum, {mib} MiB", "$B/sha256sum <$Z"),
        (f"gzip, {mib} MiB of zeros", "$B/gzip <$Z | $B/wc -c"),
        (f"shell loop, {steps:,} steps", loop % (steps, "") + "; echo $i"),
        (f"{forks:,} fork+exec+wait", loop % (forks, "$B/true; ") + "; echo $i"),
        (f"{forks:,} fork+wait", loop % (forks, "(:); ") + "; echo $i"),
        (f"dd bs=1, {blocks:,} steps", dd % blocks),
    ]


def script(mib, chosen):
    """The shell script of all chosen workloads, with a marker line around each."""
    lines = ["B=${B:-/bin}; Z=${Z:-/tmp/z}", f"$B/dd if=/dev/zero of=$Z bs=1048576 count={mib} 2>&-"]
    for number, (_, text) in enumerate(chosen):
        lines.append(f"echo begin {number}; {text}; echo end {number}")
    return "\n".join(lines)


class Progress:
    """One status line on standard error, if that is a terminal."""

    def __init__(self):
        self.text = ""
        self.begin = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def say(self, text):
        self.text = text
        if not self.terminal:
            print(text, file=sys.stderr, flush=True)
        self.tick()

    def tick(self):
        if self.terminal:
            seconds = time.monotonic() - self.begin
            print(f"\r\033[K{seconds:5.0f} s  {self.text}", end="", file=sys.stderr, flush=True)

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def measure(machine, chosen, report):
    """Follows the markers; yields (workload name, seconds, what it printed)."""
    for number, (name, _) in enumerate(chosen):
        report(name)
        _, begin = machine.expect(rf"^begin {number}\n", SECONDS_PER_WORKLOAD)
        start = machine.seen
        match, end = machine.expect(rf"^end {number}\n", SECONDS_PER_WORKLOAD)
        yield name, end - begin, machine.output[start : match.start()]


def run_guest(system, arguments, chosen, text, report, tick):
    options = boot_options(arguments.kernel, arguments.memory, "quiet " + run_parameter(text))
    command = monitor(system) + options
    if system == "qemu":
        command += ["-nic", "none"]  # a network card's boot ROM would only cost it time
    with Machine(command, tick) as machine:
        report(BOOT)
        _, reached = machine.expect(INIT_REACHED, SECONDS_PER_WORKLOAD)
        yield BOOT, reached - machine.started, ""
        yield from measure(machine, chosen, report)
        machine.expect("ringone: run ended, status 0")


def run_native(_system, _arguments, chosen, text, report, tick):
    with tempfile.TemporaryDirectory() as folder:
        busybox = os.path.join(folder, "busybox")
        shutil.copy(os.path.join(GUEST, "busybox"), busybox)
        for applet in ["sha256sum", "gzip", "true", "dd", "wc", "grep"]:
            os.symlink("busybox", os.path.join(folder, applet))
        environment = [f"B={folder}", f"Z={folder}/z"]
        with Machine(["env", *environment, busybox, "sh", "-c", text], tick) as machine:
            yield from measure(machine, chosen, report)
            machine.wait()


RUNNERS = {"native": run_native, "ringone": run_guest, "qemu": run_guest}


def available(wanted):
    """Which of the wanted systems can run here; says why not for the others."""
    problems = {
        "ringone": None if os.path.exists(RINGONE) else f"{RINGONE} is not built",
        "qemu": None if shutil.which(monitor("qemu")[0]) else "qemu-system-i386 is not installed",
        "native": None,
    }
    try:
        with Machine([os.path.join(GUEST, "busybox"), "true"]) as machine:
            if machine.wait(10) != 0:
                problems["native"] = "32-bit programs do not run on this host"
    except OSError as error:
        problems["native"] = f"32-bit programs do not run on this host: {error}"
    for system in wanted:
        if problems[system]:
            print(f"without {system}: {problems[system]}", file=sys.stderr)
    return [system for system in wanted if not problems[system]]


def collect(arguments, systems, mib, chosen):
    """Runs everything; returns {workload: {system: [seconds]}} and {system: what went wrong}."""
    samples = {name: {system: [] for system in systems} for name in [BOOT] + [n for n, _ in chosen]}
    printed = {}
    errors = {}
    text = script(mib, chosen)
    progress = Progress()
    for repetition in range(arguments.repeat):
        for system in systems:
            if system in errors:
                continue

            def report(name, system=system, repetition=repetition):
                progress.say(f"{repetition + 1}/{arguments.repeat}  {system}  {name}")

            try:
                for name, seconds, output in RUNNERS[system](
                    system, arguments, chosen, text, report, progress.tick
                ):
                    # The work must have been done, and come out the same everywhere.
                    if printed.setdefault(name, output) != output:
                        raise MachineError(f"{name}: printed {output!r}, not {printed[name]!r}")
                    samples[name][system].append(seconds)
            except MachineError as error:
                errors[system] = f"repetition {repetition + 1}: {error}"
    progress.end()
    return samples, errors


def table(samples, systems):
    """The report: medians in seconds, then how many times slower than another."""
    ratios = [("ringone", "native"), ("qemu", "native"), ("qemu", "ringone")]
    ratios = [pair for pair in ratios if set(pair) <= set(systems)]
    head = ["workload", *systems, *(f"{a}/{b}" for a, b in ratios)]
    rows = [head]
    for name, by_system in samples.items():
        median = {s: statistics.median(v) for s, v in by_system.items() if v}
        row = [name]
        row += [f"{median[s]:.3f} s" if s in median else "-" for s in systems]
        row += [f"{median[a] / median[b]:.2f}" if {a, b} <= set(median) else "-" for a, b in ratios]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        yield "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="times each system runs (5)")
    parser.add_argument("--quick", action="store_true", help="once, an eighth of the work")
    parser.add_argument("--systems", default="native,ringone,qemu", help="which, in turn order")
    parser.add_argument("--kernel", default="686", help="686 or 686-pae (686)")
    parser.add_argument("--memory", type=int, default=256, help="guest memory in MiB (256)")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    parser.add_argument("--json", help="write all samples to this file")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeat = 1
    unknown = set(arguments.systems.split(",")) - set(RUNNERS)
    if unknown:
        parser.error(f"no such system: {', '.join(sorted(unknown))}")

    mib, chosen = workloads(8 if arguments.quick else 1)
    chosen = [(name, text) for name, text in chosen if arguments.only in name]
    systems = available(arguments.systems.split(","))
    samples, errors = collect(arguments, systems, mib, chosen)

    print(f"Debian {arguments.kernel} kernel, {arguments.memory} MiB, median of {arguments.repeat}")
    print("\n".join(table(samples, systems)))
    if "qemu" in systems:
        print(f'"{BOOT}" is from the start of the process; for qemu that includes its BIOS.')
    for system, error in errors.items():
        print(f"{system} stopped: {error}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(samples, file, indent=1)
    return 1 if errors or not systems else 0


if __name__ == "__main__":
    sys.exit(main())
