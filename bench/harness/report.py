"""Turning samples into tables: medians, spread, ratios, and the targets with a verdict."""

import csv
import math
import statistics

import rows as table_of_rows
from rows import MEMORY_LIMIT_MIB, TARGETS, TRANSLATE_BOOT_PERCENT_LIMIT
from rows import TRANSLATE_CYCLES_LIMIT

RATIOS = [("ringone", "native"), ("qemu", "native"), ("ringone", "native64"), ("qemu", "native64"), ("qemu", "ringone")]


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def spread(values):
    """Half of max - min, as a part of the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


class Results:
    """Samples of a run, by row and system, with what is wrong with them."""

    def __init__(self, samples, rows, systems, missing=()):
        self.samples = samples
        self.rows = rows
        self.systems = systems
        self.missing = missing  # systems that were asked for but do not run here
        self.problems = {}  # (row name, system): text
        for row in rows:
            self._look_for_problems(row)

    def _look_for_problems(self, row):
        reference = None
        for system in self.systems:
            failed = self.samples.failure(system, row.name)
            if failed:
                self.problems[row.name, system] = failed
                continue
            for output in self.samples.values(system, row.name, "output"):
                if reference is None:
                    reference = output
                elif output != reference:
                    text = f"printed {output.strip()!r}, not {reference.strip()!r}"
                    self.problems[row.name, system] = text

    def median(self, row, system):
        """Seconds, or None when there is no valid figure."""
        if (row.name, system) in self.problems:
            return None
        values = self.samples.seconds(system, row.name)
        return statistics.median(values) if values else None

    def median_of(self, row, system, field):
        """The median of another field of the samples, or None."""
        if (row.name, system) in self.problems:
            return None
        values = self.samples.values(system, row.name, field)
        return statistics.median(values) if values else None

    def ratio(self, row, slower, faster):
        a, b = self.median(row, slower), self.median(row, faster)
        return a / b if a and b else None

    def cell(self, row, system):
        if (row.name, system) in self.problems:
            return "FAILED"
        values = self.samples.seconds(system, row.name)
        if not values:
            return "-"
        text = f"{statistics.median(values):.3f}"
        return text if len(values) < 2 else f"{text} ±{100 * spread(values):.0f}%"


def layout(rows, left=1):
    """A table as aligned Markdown; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return [line(rows[0]), line(rule), *(line(row) for row in rows[1:])]


def _ratio_text(value):
    return "-" if value is None else f"{value:.2f}"


def times(results):
    """The main table: medians in seconds, and ratios; after each group its geometric means."""
    pairs = [pair for pair in RATIOS if set(pair) <= set(results.systems)]
    out = [["workload", "group", *(f"{s}, s" for s in results.systems), *(f"{a}/{b}" for a, b in pairs)]]
    groups = list(dict.fromkeys(row.group for row in results.rows))
    for group in groups:
        members = [row for row in results.rows if row.group == group]
        for row in members:
            cells = [results.cell(row, system) for system in results.systems]
            out.append([row.name, group, *cells, *(_ratio_text(results.ratio(row, *p)) for p in pairs)])
        if len(members) > 1:
            means = []
            for pair in pairs:
                known = [r for r in (results.ratio(row, *pair) for row in members) if r]
                # A mean over fewer rows than the group has would flatter.
                means.append(_ratio_text(geometric_mean(known) if len(known) == len(members) else None))
            out.append(["geometric mean", group, *("" for _ in results.systems), *means])
    return layout(out, 2)


def _verdict(passed):
    return {True: "pass", False: "FAIL", None: "no figure"}[passed]


def _native_limit(results, target, name):
    """What the processor itself reaches of a row's target, where that is not the target either."""
    row = next(row for row in results.rows if row.name == name)
    for system in ("native", "native64"):
        native = results.ratio(row, target.slower, system) if target.faster != system else None
        if native and target.at_least and native < target.every:
            return f"; {system}: {native:.2f}"
    return ""


def _judge(results, target):
    """Yields (name, bound, measured, passed or None) for the target's parts.

    A system that was asked for and is missing leaves its targets without figures, not out.
    """
    members = [row for row in results.rows if row.group in target.groups]
    if not members or not {target.slower, target.faster} <= {*results.systems, *results.missing}:
        return
    ratios = {row.name: results.ratio(row, target.slower, target.faster) for row in members}
    known = {name: value for name, value in ratios.items() if value}
    complete = len(known) == len(ratios)
    sign = "≥" if target.at_least else "≤"

    def meets(value, bound):
        return value >= bound if target.at_least else value <= bound

    if target.mean is not None:
        mean = geometric_mean(known.values()) if complete and known else None
        passed = None if mean is None else meets(mean, target.mean)
        yield f"{target.name}, geometric mean", f"{sign} {target.mean}", _ratio_text(mean), passed
    if target.every is not None:
        worst = (min if target.at_least else max)(known, key=known.get, default=None)
        passed = None if worst is None else meets(known[worst], target.every)
        shown = "-"
        if worst is not None:
            limit = "" if passed else _native_limit(results, target, worst)
            shown = f"{known[worst]:.2f} ({worst}{limit})"
        if passed and not complete:
            passed = None
        label = f"{target.name}, every row" if len(members) > 1 else target.name
        yield label, f"{sign} {target.every}", shown, passed


def _vmm_targets(results, tsc_hz):
    """Memory and translation cost of ringone."""
    most, where = 0, None
    for row in results.rows:
        for mib in results.samples.values("ringone", row.name, "vmm_mib"):
            if mib > most:
                most, where = mib, row.name
    if where:
        yield "VMM memory beyond the guest's, MiB", f"< {MEMORY_LIMIT_MIB}", f"{most:.1f} ({where})", (
            most < MEMORY_LIMIT_MIB
        )
    name = table_of_rows.BOOT.name
    seconds = results.samples.values("ringone", name, "translate_seconds")
    if seconds:
        count = results.samples.values("ringone", name, "translated")
        cycles = statistics.median(s * tsc_hz / n for s, n in zip(seconds, count))
        percent = statistics.median(results.samples.values("ringone", name, "translate_percent"))
        yield "translating, cycles per guest instruction", f"< {TRANSLATE_CYCLES_LIMIT}", (
            f"{cycles:.0f}"
        ), cycles < TRANSLATE_CYCLES_LIMIT
        yield "translating, part of boot time", f"< {TRANSLATE_BOOT_PERCENT_LIMIT}%", f"{percent:.1f}%", (
            percent < TRANSLATE_BOOT_PERCENT_LIMIT
        )


def targets(results, tsc_hz, event_verdicts=()):
    """The table of targets."""
    out = [["target", "bound", "measured", "verdict"]]
    for target in TARGETS:
        for name, bound, measured, passed in _judge(results, target):
            out.append([name, bound, measured, _verdict(passed)])
    if "ringone" in results.systems:
        for name, bound, measured, passed in _vmm_targets(results, tsc_hz):
            out.append([name, bound, measured, _verdict(passed)])
    for name, bound, measured, passed in event_verdicts:
        out.append([name, bound, measured, _verdict(passed)])
    return layout(out, 1)


def write_csv(path, all_results, divisor):
    """Every sample, one a line."""
    fields = ["seconds", "cycles", "vmm_mib"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "group", "count", "system", "repetition", *fields, "failed"])
        for results in all_results:
            for row in results.rows:
                for line in results.samples.lines:
                    if line["row"] != row.name:
                        continue
                    failed = line.get("failed") or results.problems.get((row.name, line["system"]), "")
                    values = [f"{line[f]:.6g}" if f in line else "" for f in fields]
                    place = [row.name, row.group, row.size(divisor), line["system"], line["repetition"]]
                    writer.writerow([*place, *values, failed])
