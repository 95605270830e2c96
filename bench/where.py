#!/usr/bin/env python3
"""Where ringone's time goes: workloads of the benchmark under -profile, a table of shares by cause.

    bench/where.py                             the table of docs/performance.md
    bench/where.py --only "shell loop" --top 20    one workload, and its hottest lines

A workload's samples are those of a boot that runs it, less those of a boot that runs nothing. The profiles stay
in build/bench/where/ for flame graphs; see docs/profiling.md.
"""

import argparse
import collections
import os
import sys
import types

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))
sys.path.insert(0, os.path.join(ROOT, "bench/harness"))

import boots  # noqa: E402
import build  # noqa: E402
import rows as table_of_rows  # noqa: E402
import systems  # noqa: E402
import userland  # noqa: E402
from machine import GUEST, Machine, run_parameter  # noqa: E402

# name: how many times the benchmark's count
CHOSEN = {
    "boot to init": 1,
    "boot Debian to login": 1,
    "gcc -O2 -c": 1,
    "python3": 1,
    "perl": 1,
    "sqlite3": 1,
    "shell loop": 8,
    "sh fork+wait": 8,
    "sh fork+exec+wait": 4,
    "fork wait": 4,
    "fork exec wait": 3,
    "touch fresh pages": 4,
    "pipe ping-pong": 4,
    "tmpfs": 4,
    "dd bs=1": 4,
}
ENDED = r"^ringone: run ended, status 0\n"
SECONDS = 300
COLUMNS = ["user code", "kernel code", "translating", "window fill", "checked access", "callouts", "run loop", "devices",
           "busy waiting", "other"]  # fmt: skip
GROUP = {
    "[translating]": "translating",
    "[window fill]": "window fill",
    "[window update]": "window fill",
    "[checked access]": "checked access",
    "[run loop]": "run loop",
    "[event delivery]": "run loop",
    "[guest page fault]": "run loop",
    "[host exception]": "run loop",
    "[devices]": "devices",
    "[MMIO]": "devices",
    "[host input and output]": "devices",
}


def read(path):
    """The samples of a profile by line."""
    with open(path, encoding="ascii") as file:
        lines = [line.rsplit(" ", 1) for line in file.read().splitlines()]
    return collections.Counter({chain: int(count) for chain, count in lines})


def cause(chain):
    """The VMM's first frame; None in translated code."""
    return next((frame for frame in chain.split(";") if frame.startswith("[")), None)


def column(chain):
    first = cause(chain)
    # Linux's udelay, and its waiting for jitter of the clock: the guest wants to lose time
    if ";delay_tsc" in chain or ";try_to_generate_entropy" in chain:
        return "busy waiting"
    if first is None:
        return "user code" if chain.startswith("user;") else "kernel code"
    if first.startswith("[callout "):
        return "devices" if ";[port " in chain else "callouts"
    return GROUP.get(first, "other")


def by(function, samples):
    """Sums by what the function says of a chain; what the boot without work had more of is noise."""
    sums = collections.Counter()
    for chain, count in samples.items():
        sums[function(chain)] += count
    return collections.Counter({key: max(count, 0) for key, count in sums.items() if key})


class Runner:
    def __init__(self, arguments):
        self.output = arguments.output
        self.repeat = arguments.repeat
        os.makedirs(self.output, exist_ok=True)
        programs = build.programs(os.path.join(self.output, "programs"))
        self.settings = types.SimpleNamespace(kernel="686", output=self.output, programs=programs)
        self.idle = {}  # profiles of boots that run nothing, by unit

    def boot(self, name, initrd, append, memory, end):
        """The profile of a boot, summed over the repetitions."""
        total = collections.Counter()
        for number in range(self.repeat):
            path = os.path.join(self.output, f"{name.replace(' ', '-')}.{number}.folded")
            print(f"{name} {number + 1}/{self.repeat}", file=sys.stderr, flush=True)
            command = systems.guest_command("ringone", self.settings, initrd, append, memory)
            with Machine([*command, "-profile", path]) as machine:
                machine.expect(end, SECONDS)
                if end != ENDED:
                    machine.send("\x01x")
                machine.wait(SECONDS)
            total += read(path)
        return total

    def run_script(self, name, unit, text):
        initrd = os.path.join(self.output, "initrd")
        files, more, memory = self.settings.programs, [], 256
        if unit == "programs":
            folder, files = userland.prepare(self.settings)
            more, memory = [os.path.join(folder, "userland.cpio")], userland.GUEST_MEMORY
            text = userland.SETUP + text
        build.initrd(initrd, text, files, more)
        return self.boot(name, initrd, run_parameter("sh /bench/run"), memory, ENDED)

    def row(self, row, times):
        if row.unit == "boot":
            return self.boot(row.name, os.path.join(GUEST, "initrd.gz"), run_parameter("true"), 256, ENDED)
        if row.unit == "debian":
            initrd = boots.Debian.initrd(self.settings)
            return self.boot(row.name, initrd, "", boots.DEBIAN_MEMORY, "^ringone login: ")
        if row.unit not in self.idle:
            self.idle[row.unit] = self.run_script(f"nothing ({row.unit})", row.unit, systems.script([], 1, False))
        larger = types.SimpleNamespace(text=lambda _: row.command.format(n=row.count * times))
        samples = self.run_script(row.name, row.unit, systems.script([larger], 1, False))
        samples.subtract(self.idle[row.unit])
        return samples


def percent(part, whole):
    return f"{100 * part / whole:.1f}" if part else ""


def table(results):
    lines = ["| % of running time in | samples | " + " | ".join(COLUMNS) + " | callouts by kind |"]
    lines += ["|---|--:|" + "--:|" * len(COLUMNS) + "---|"]
    for name, samples in results.items():
        sums = by(column, samples)
        total = sum(sums.values())
        kinds = by(lambda chain: cause(chain) if column(chain) == "callouts" else None, samples)
        kinds = [f"{kind[9:-1]} {percent(n, total)}" for kind, n in kinds.most_common(4) if n > total / 200]
        cells = [percent(sums[column], total) for column in COLUMNS]
        lines.append(f"| {name} | {total} | " + " | ".join(cells) + f" | {', '.join(kinds)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="rows whose name has one of these comma-separated words in it")
    parser.add_argument("--repeat", type=int, default=3, help="times each runs (3)")
    parser.add_argument("--top", type=int, default=0, help="how many of each workload's hottest lines to print")
    parser.add_argument("--output", default=os.path.join(ROOT, "build/bench/where"), help="results' folder")
    arguments = parser.parse_args()
    runner = Runner(arguments)
    rows = [table_of_rows.BOOT, boots.DEBIAN, *userland.ROWS, *table_of_rows.WORKLOADS]
    words = arguments.only.split(",")
    named = {row.name: row for row in rows}
    chosen = [name for name in CHOSEN if any(word in name for word in words)]
    if not chosen:
        parser.error(f"--only: none of {', '.join(CHOSEN)} has it")
    results = {name: runner.row(named[name], CHOSEN[name]) for name in chosen}
    print(table(results))
    for name, samples in results.items():
        for chain, count in samples.most_common(arguments.top):
            print(f"{name}: {count} {chain}")


if __name__ == "__main__":
    main()
