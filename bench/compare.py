#!/usr/bin/env python3
"""Builds of ringone beside each other: rows of the benchmark, in turns, as ratios to the first build.

    bench/compare.py --only "dispatch,shell loop" /path/before/build/ringone build/ringone
    bench/compare.py --only real --boots 3 --accel process,form=checked A B

In every boot each row runs a few times; the builds take turns, boot by boot. The least time is the one that
other programs disturb least; a change is there when both figures say so.
"""

import argparse
import os
import statistics
import sys
import types

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))
sys.path.insert(0, os.path.join(ROOT, "bench/harness"))

import build  # noqa: E402
import report  # noqa: E402
import rows as table_of_rows  # noqa: E402
import systems  # noqa: E402
import userland  # noqa: E402

FOLDER = os.path.join(ROOT, "build/bench")


def units(only):
    """Per unit: the chosen rows, and a function that makes initrd and memory for a script's rows."""

    def chosen(rows):
        return [r for r in rows if any(word in r.name or word == r.group for word in only.split(","))]

    def workloads(rows, settings, initrd):
        build.initrd(initrd, systems.script(rows, settings.divisor, True), settings.programs)
        return settings.memory

    def programs(rows, settings, initrd):
        folder, files = userland.prepare(settings)
        text = userland.SETUP + systems.script(rows, settings.divisor, True)
        build.initrd(initrd, text, files, [os.path.join(folder, "userland.cpio")])
        return userland.GUEST_MEMORY

    pairs = ((table_of_rows.WORKLOADS, workloads), (userland.ROWS, programs))
    return [(chosen(rows), prepare) for rows, prepare in pairs if chosen(rows)]


def measure(binary, rows, settings, initrd, memory, found):
    """One boot; adds the seconds of each run to found[row name]."""
    command = systems.guest_command("ringone", settings, initrd, systems.run_parameter("sh /bench/run"), memory)
    command[0] = binary
    if settings.accel:
        command += ["-accel", settings.accel]
    with systems.Machine(command) as machine:
        machine.expect(systems.INIT_REACHED, systems.SECONDS_PER_BOOT)
        for row, fields in systems.follow("", rows, machine, lambda _text: None):
            if "failed" in fields:
                sys.exit(f"{binary}: {row.name}: {fields['failed']}")
            found.setdefault(row.name, []).append(fields["seconds"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("binaries", nargs="+", metavar="RINGONE", help="the first is what the others are compared with")
    parser.add_argument("--only", default="integer", help="rows whose name has one of these words in it, or whose "
                        "group is one (integer)")
    parser.add_argument("--boots", type=int, default=4, help="of each build (4)")
    parser.add_argument("--repeat", type=int, default=3, help="of a row in each boot (3)")
    parser.add_argument("--divisor", type=int, default=2, help="of the rows' size (2)")
    parser.add_argument("--accel", help="the builds' -accel")
    arguments = parser.parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    settings = types.SimpleNamespace(
        kernel="686", memory=256, divisor=arguments.divisor, output=FOLDER, accel=arguments.accel,
        programs=build.programs(os.path.join(FOLDER, "programs")))
    initrd = os.path.join(FOLDER, "initrd-compare")
    table = [["row", *(f"{os.path.relpath(b)}, s: least, median" for b in arguments.binaries), *("ratios",) * (
        len(arguments.binaries) - 1)]]
    for rows, prepare in units(arguments.only):
        memory = prepare(rows * arguments.repeat, settings, initrd)
        found = [{} for _ in arguments.binaries]
        for boot in range(arguments.boots):
            for binary, seconds in zip(arguments.binaries, found):
                print(f"boot {boot + 1}/{arguments.boots}  {os.path.relpath(binary)}", file=sys.stderr, flush=True)
                measure(binary, rows * arguments.repeat, settings, initrd, memory, seconds)
        for row in rows:
            pairs = [(min(f[row.name]), statistics.median(f[row.name])) for f in found]
            ratios = [f"{a / pairs[0][0]:.3f}, {b / pairs[0][1]:.3f}" for a, b in pairs[1:]]
            table.append([row.name, *(f"{a:.3f}, {b:.3f}" for a, b in pairs), *ratios])
    print("\n".join(report.layout(table)))


if __name__ == "__main__":
    main()
