#!/usr/bin/env python3
"""ringone beside the bare processor and QEMU's translator (TCG), in one run.

The systems take turns (A B C A B C ...), so that whatever else the machine does falls on all of
them; the tables give medians. Results go to build/bench/: report.md, samples.csv and charts. A run that was
interrupted goes on where it was when it is started again with the same settings.
"""

import argparse
import dataclasses
import hashlib
import os
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))
sys.path.insert(0, os.path.join(ROOT, "bench/harness"))

import boots  # noqa: E402
import build  # noqa: E402
import charts  # noqa: E402
import events  # noqa: E402
import machine_info  # noqa: E402
import report  # noqa: E402
import rows as table_of_rows  # noqa: E402
import samples as store  # noqa: E402
import systems as runners  # noqa: E402
import userland  # noqa: E402
from machine import GUEST, RINGONE  # noqa: E402


@dataclasses.dataclass
class Settings:
    """What a run is made with; passed down to everything."""

    kernel: str
    memory: int  # MiB
    repeat: int
    divisor: int  # of the work's size
    warm_up: bool
    output: str  # folder
    programs: list  # paths of the workload programs
    tsc_hz: float
    load: float  # the host's load average before the run


BUSY = 0.4  # load average a CPU that spoils a measurement


class Progress:
    """One status line on standard error, if that is a terminal; else a line a step."""

    def __init__(self, total):
        self.text = ""
        self.begin = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.total = total
        self.done = 0

    def say(self, text):
        self.text = text
        if self.terminal:
            self.tick()
        else:
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self):
        seconds = time.monotonic() - self.begin
        return f"{seconds:5.0f} s  {100 * self.done // max(1, self.total):3d}%  {self.text}"

    def tick(self):
        if self.terminal:
            print(f"\r\033[K{self._line()}", end="", file=sys.stderr, flush=True)

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def fingerprint(settings, arguments):
    """What must not have changed for samples to belong to the same run."""
    digest = hashlib.sha256()
    files = [os.path.join(GUEST, "vmlinuz-" + settings.kernel), *settings.programs]
    for path in [RINGONE, *files]:
        if os.path.exists(path):
            with open(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return {
        "files": digest.hexdigest(),
        "kernel": settings.kernel,
        "memory": settings.memory,
        "repeat": settings.repeat,
        "divisor": settings.divisor,
        "warm_up": settings.warm_up,
        "systems": arguments.systems,
        "only": arguments.only,
    }


def collect(plan, systems, settings, samples, progress):
    """Runs what the samples do not have yet."""
    for repetition in range(settings.repeat):
        for unit in plan:
            for system in systems:

                def say(text, system=system, repetition=repetition):
                    progress.say(f"{repetition + 1}/{settings.repeat}  {system}  {text}")

                while True:
                    # A row that failed once is not tried again: it would fail again, slowly.
                    missing = [
                        row
                        for row in unit.rows(system)
                        if not samples.has(system, row.name, repetition)
                        and not samples.failure(system, row.name)
                    ]
                    if not missing:
                        break
                    for row, fields in unit.run(system, missing, settings, say, progress.tick):
                        samples.add(system, row.name, repetition, **fields)
                        progress.done += 1
    progress.end()


class Workloads:
    """The programs of bench/workloads and busybox."""

    def __init__(self):
        self.all_rows = table_of_rows.WORKLOADS

    def rows(self, system):
        return runners.rows64(self.all_rows) if system == "native64" else self.all_rows

    def run(self, system, rows, settings, say, tick):
        yield from runners.RUNNERS[system](system, rows, settings, say, tick)


UNITS = {
    "events": events.Events,
    "boot": boots.Boot,
    "workloads": Workloads,
    "programs": userland.Programs,
    "debian": boots.Debian,
}
NOT_QUICK = ("debian",)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="once, a quarter of the work")
    parser.add_argument("--repeat", type=int, help="times each system runs (5; quick: 1)")
    parser.add_argument("--systems", default="native,ringone,qemu", help="which, in turn order")
    parser.add_argument("--units", help=f"parts to run ({','.join(UNITS)}; quick: no debian)")
    parser.add_argument("--only", default="", help="only rows whose name has one of these comma-separated words in it, or whose group is one")
    parser.add_argument("--kernel", default="686", help="686 or 686-pae (686)")
    parser.add_argument("--memory", type=int, default=256, help="guest memory in MiB (256)")
    parser.add_argument("--no-warm-up", action="store_true", help="leave out the warm-up runs")
    parser.add_argument("--fresh", action="store_true", help="do not take up an interrupted run")
    parser.add_argument("--output", default=os.path.join(ROOT, "build/bench"), help="results' folder")
    arguments = parser.parse_args()
    if arguments.units is None:
        units = [name for name in UNITS if not (arguments.quick and name in NOT_QUICK)]
        arguments.units = ",".join(units)
    for value, known in ((arguments.systems, runners.RUNNERS), (arguments.units, UNITS)):
        unknown = set(value.split(",")) - set(known)
        if unknown:
            parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return arguments


def make_plan(arguments):
    """The chosen units, each with the chosen rows."""
    plan = [UNITS[name]() for name in UNITS if name in arguments.units.split(",")]
    for unit in plan:
        unit.all_rows = [
            row
            for row in unit.all_rows
            if any(word in row.name or word == row.group for word in arguments.only.split(","))
        ]
    names = [row.name for unit in plan for row in unit.all_rows]
    assert len(names) == len(set(names)), "samples are found by their row's name"
    return [unit for unit in plan if unit.all_rows]


def write_report(settings, systems, missing, samples, plan, host):
    """Prints the report and writes build/bench/*; returns how many figures are missing.

    missing: why a system that was asked for does not run here.
    """
    rows = [row for unit in plan for row in unit.all_rows]
    timed = [row for row in rows if row.group != "event"]
    event_rows = [row for row in rows if row.group == "event"]
    results = report.Results(samples, timed, systems, missing)
    event_results = report.Results(samples, event_rows, systems)
    costs = events.costs(event_results)

    parts = ["# ringone: benchmark", ""]
    parts += [f"- {what}: {value}" for what, value in machine_info.describe(settings)]
    parts += [f"- without {system}: {reason}" for system, reason in missing.items()]
    parts += [f"- time stamp counter: {host.tsc_hz / 1e6:.0f} MHz", ""]
    if settings.load > BUSY * os.cpu_count():
        parts += [f"**The machine was busy (load average {settings.load:.1f}) when the run began: the "
                  "figures have other programs' work in them.**", ""]
    parts += ["## Targets", ""]
    parts += report.targets(results, host.tsc_hz, events.verdicts(costs)) + [""]
    if timed:
        parts += ["## Times", "", "Medians of wall-clock time; ± is half of the range.", ""]
        parts += report.times(results) + [""]
        if any(row.group.startswith("boot") for row in timed):
            parts += ["Boots are from the start of the process; for qemu that includes its BIOS.", ""]
    if event_rows:
        parts += ["## Event costs", "", *events.EXPLANATION, ""]
        parts += report.layout(events.table(costs, systems), 1) + [""]
        parts += ["What the host itself charges a process that needs its MMU or its signals:", ""]
        parts += report.layout(events.host_table(host), 1) + [""]
    problems = {**results.problems, **event_results.problems}
    if problems:
        parts += ["## What failed", ""]
        parts += [f"- {name} on {system}: {text}" for (name, system), text in problems.items()] + [""]
    text = "\n".join(parts)
    print(text)
    drawn = charts.draw(settings.output, results, costs)
    pictures = [f"![{caption}]({file})\n" for file, caption in drawn]
    with open(os.path.join(settings.output, "report.md"), "w", encoding="utf-8") as file:
        file.write("\n".join([text, "## Charts", "", *pictures]) if pictures else text)
    report.write_csv(os.path.join(settings.output, "samples.csv"), [results, event_results], settings.divisor)
    print(f"written to {os.path.relpath(settings.output)}: report.md, samples.csv"
          + "".join(f", {file}" for file, _ in drawn))
    return len(problems)


def main():
    arguments = parse()
    os.makedirs(arguments.output, exist_ok=True)
    host = events.Host(os.path.join(arguments.output, "programs"))
    settings = Settings(
        kernel=arguments.kernel,
        memory=arguments.memory,
        repeat=arguments.repeat or (1 if arguments.quick else 5),
        divisor=table_of_rows.QUICK_DIVISOR if arguments.quick else 1,
        warm_up=not arguments.no_warm_up,
        output=arguments.output,
        programs=build.programs(os.path.join(arguments.output, "programs")),
        tsc_hz=host.tsc_hz,
        load=os.getloadavg()[0],
    )
    wanted = arguments.systems.split(",")
    missing = {system: reason for system in wanted if (reason := runners.unavailable(system))}
    for system, reason in missing.items():
        print(f"without {system}: {reason}", file=sys.stderr)
    if "native" in missing:
        print("with native64 in its place: 64-bit code of the same sources", file=sys.stderr)
        wanted[wanted.index("native")] = "native64"
    systems = [system for system in wanted if system not in missing]

    plan = make_plan(arguments)
    path = os.path.join(arguments.output, "quick.jsonl" if arguments.quick else "samples.jsonl")
    samples = store.Samples(path, fingerprint(settings, arguments), arguments.fresh)
    if samples.resumed:
        print(f"taking up the run in {os.path.relpath(path)} (--fresh starts anew)", file=sys.stderr)
    total = settings.repeat * sum(len(unit.rows(system)) for unit in plan for system in systems)
    progress = Progress(total)
    progress.done = len(samples.lines)
    try:
        collect(plan, systems, settings, samples, progress)
    except KeyboardInterrupt:
        progress.end()
        print("interrupted; start again to go on", file=sys.stderr)
        return 130
    samples.finish()
    problems = write_report(settings, systems, missing, samples, plan, host)
    return 1 if problems or not systems else 0


if __name__ == "__main__":
    sys.exit(main())
