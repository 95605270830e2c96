#!/usr/bin/env python3
"""The ring-0 host beside the bare machine, in executed instructions.

The same guest kernel, initrd and programs run directly on QEMU's PC and under ringone.elf on the
same PC. With -icount shift=0 an executed instruction takes 1 ns of the machine's time and its
time-stamp counter counts instructions, so a guest program that reads it (bench/icount/mark.c)
measures how many instructions the machine has executed, whoever's they were. Nothing depends on
the speed or load of the host. What runs more than once runs with a count of n and of 2n; the difference is the
figure, so that start-up cancels out; shorter runs before them have new code translated. -stats counters of a run
of each row, less those of a run without rows, say what the instructions were spent on.
"""

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/boot"))
sys.path.insert(0, os.path.join(ROOT, "bench/harness"))

import build  # noqa: E402
from machine import GUEST, run_parameter  # noqa: E402

GUEST_MIB = 128
VMM_MIB = 256
EXIT_PORT = 0xF4
SECONDS = 600
WARM_UP = (1, 1)  # counts run before the two that are compared
NS_PER_S = 1_000_000_000
CPU = "max,-svm"
# Nothing but the guest decides what comes next: its time, randomness and date are the machine's.
MACHINE = (
    f"qemu-system-x86_64 -accel tcg -cpu {CPU} -icount shift=0,sleep=off -seed 1 "
    "-rtc base=2020-01-01,clock=vm -display none -net none -monitor none -no-reboot -serial stdio"
).split()


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    command: str  # {n}: the count
    count: int
    per: int  # events in one count
    event: str
    target: float | None
    exact: int = 0  # instructions an event is known to take


ROWS = [
    Row("counting loop", "/bench/spin {n}", 100, 1_000_000, "round", None, exact=2),
    Row("user compute: hash", "/bench/hash {n}", 1000, 1, "count", 1.02),
    Row("user compute: sha256sum", "/bin/busybox sha256sum /tmp/z{n}", 8, 1 << 20, "byte", 1.02),
    Row("system call (INT 80h)", "/bench/getppid_int80 {n}", 50, 1000, "call", 6),
    Row("system call (SYSENTER)", "/bench/getppid_sysenter {n}", 50, 1000, "call", 6),
    Row("fork, exec, wait", "/bench/fork_exec {n}", 100, 1, "process", 6),
    Row("page fault, demand-zero", "/bench/page_fault {n}", 4, 1024, "page", None),
]
BOOT_TARGET = 3
COUNTERS = {
    "callouts": r"callouts\n +total",
    "traps": r"\n  exceptions",
    "interrupts": r"\n  interrupts",
    "from ring 3": r"\n  traps from ring 3",
    "native runs": r"\n  native runs of user code",
    "window fills": r"\n  window maps",
    "TLB fills": r"\n  software TLB fills",
    "table walks": r"\n  guest table walks",
    "CR3 loads": r"\n  CR3 loads",
    "revalidated": r"\n  revalidations",
    "translated": r"\n  guest instructions",
}
SECONDS_COUNTERS = {
    "translating": r"\n  translating",
    "native": r"\n  user code run natively",
    "total": r"time \(s\)\n  total",
}


class Failure(Exception):
    pass


def script(rows, divisor):
    """What the guest runs: the clock, its idle time, and each row twice."""
    lines = ["/bench/mark 0", "echo idle $(cat /proc/uptime)"]
    for number, row in enumerate(rows, 1):
        n = max(1, row.count // divisor)
        for count in (*WARM_UP, n, 2 * n):
            if "/tmp/z" in row.command:
                lines.append(f"dd if=/dev/zero of=/tmp/z{count} bs=1048576 count={count} 2>/dev/null")
            lines.append(f"/bench/mark {number} {row.command.format(n=count)}")
    return "\n".join(lines) + "\n"


def programs(folder):
    made = {os.path.basename(path): path for path in build.programs(os.path.join(folder, "programs"))}
    here = os.path.join(build.BENCH, "icount")
    for name in ("mark", "spin"):
        made[name] = os.path.join(folder, "programs", name)
        build.program(made[name], os.path.join(here, name + ".c"), [*build.FLAGS, *build.X87], build.LIBRARY)
    wanted = ["mark"] + [row.command.split()[0].split("/")[-1] for row in ROWS]
    return [made[name] for name in wanted if name in made]


def boot(system, rows, divisor, folder, vmm):
    """One boot; the machine's output."""
    append = "console=ttyS0 quiet " + run_parameter("sh /bench/run")
    kernel = os.path.join(GUEST, "vmlinuz-686")
    with tempfile.TemporaryDirectory() as scratch:
        initrd = os.path.join(scratch, "initrd")
        build.initrd(initrd, script(rows, divisor), programs(folder))
        command = list(MACHINE)
        if system == "bare":
            command += ["-m", str(GUEST_MIB), "-kernel", kernel, "-initrd", initrd, "-append", append]
        else:
            options = os.path.join(scratch, "options")
            with open(options, "w", encoding="ascii") as file:
                file.write(f"# ringone options\n-m {GUEST_MIB}\n-append {append}\n-no-reboot\n-stats\n"
                           f"-exit-port {EXIT_PORT}\n")
            command += ["-m", str(GUEST_MIB + VMM_MIB), "-kernel", vmm, "-initrd", f"{options},{kernel},{initrd}",
                        "-device", f"isa-debug-exit,iobase={EXIT_PORT},iosize=4"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=SECONDS)
        except subprocess.TimeoutExpired as stuck:
            raise Failure(f"{system}: not done in {SECONDS} s: {(stuck.stdout or b'')[-300:]!r}") from None
    output = done.stdout.decode("latin-1").replace("\r", "")
    if "ringone: run ended, status 0" not in output:
        raise Failure(f"{system}: the guest did not finish: {output[-400:]!r}")
    return output


def read(output, rows):
    """{row name: instructions of the second run less the first's}, and the boot's."""
    now = re.search(r"^now 0 ([0-9a-f]{16})$", output, re.M)
    idle = re.search(r"^idle [\d.]+ ([\d.]+)$", output, re.M)
    if not now or not idle:
        raise Failure(f"no clock in {output[-400:]!r}")
    found = {"boot": int(now.group(1), 16) - round(float(idle.group(1)) * NS_PER_S)}
    for number, row in enumerate(rows, 1):
        took = re.findall(rf"^took {number} ([0-9a-f]{{16}}) ([0-9a-f]{{16}})$", output, re.M)
        if len(took) != len(WARM_UP) + 2 or any(int(status, 16) for _, status in took):
            raise Failure(f"{row.name}: {took} in {output[-400:]!r}")
        found[row.name] = int(took[-1][0], 16) - int(took[-2][0], 16)
    return found


def counters(output):
    found = {}
    for name, pattern in COUNTERS.items():
        match = re.search(pattern + r" +(\d+)\b", output)
        found[name] = int(match.group(1)) if match else None
    for name, pattern in SECONDS_COUNTERS.items():
        match = re.search(pattern + r" +(\d+\.\d+)\b", output)
        found[name] = float(match.group(1)) if match else None
    return found


def number(value):
    if abs(value) >= 1e7:
        return f"{value / 1e6:,.1f} M"
    if abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def layout(table, report):
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
    for line in (table[0], rule, *table[1:]):
        cells = [text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths))]
        report.append("| " + " | ".join(cells) + " |")


def verdict(ratio, target):
    if target is None:
        return "-", "-"
    return f"≤ {target}", "pass" if ratio <= target else "FAIL"


def ratio_text(ratio):
    return f"{ratio:.4f}" if ratio < 1.5 else f"{ratio:.2f}"


def add_ratios(report, bare, vmm, rows, divisor):
    table = [["executed instructions", "per", "bare", "ringone", "ratio", "target", "verdict"]]
    ratio = vmm["boot"] / bare["boot"]
    table.append(["boot to init, idle time off", "boot", number(bare["boot"]), number(vmm["boot"]),
                  ratio_text(ratio), *verdict(ratio, BOOT_TARGET)])
    for row in rows:
        events = max(1, row.count // divisor) * row.per
        ratio = vmm[row.name] / bare[row.name]
        table.append([row.name, row.event, number(bare[row.name] / events), number(vmm[row.name] / events),
                      ratio_text(ratio), *verdict(ratio, row.target)])
    layout(table, report)


def add_counters(report, base, by_row, divisor):
    """Each row's counters an event: of all its runs, 3n events and the warm-up, less a boot's."""
    names = [name for name in COUNTERS if base[name] is not None]
    table = [["VMM counters", *names, "translating, s", "native, s (share)"]]
    for row, found in [(None, base), *by_row.items()]:
        events = 1 if row is None else (3 * max(1, row.count // divisor) + sum(WARM_UP)) * row.per
        less = {name: 0 for name in found} if row is None else base
        cells = ["boot" if row is None else f"{row.name}, a {row.event}"]
        cells += [number((found[name] - less[name]) / events) for name in names]
        if found["native"] is None:
            cells += ["-", "-"]
        else:
            spent = {name: found[name] - less[name] for name in SECONDS_COUNTERS}
            cells.append(f"{spent['translating']:.3f}")
            cells.append(f"{spent['native']:.3f} ({100 * spent['native'] / spent['total']:.0f}%)")
        table.append(cells)
    layout(table, report)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--vmm", default=os.path.join(ROOT, "build/ringone.elf"))
    parser.add_argument("--divisor", type=int, default=1, help="of the work's size (1)")
    parser.add_argument("--only", default="", help="only rows whose name has this in it")
    parser.add_argument("--no-counters", action="store_true", help="ratios only: two boots")
    parser.add_argument("--verify", action="store_true", help="the bare machine twice; the counts must be equal")
    parser.add_argument("--output", default=os.path.join(ROOT, "build/bench"), help="folder of the programs and ring0.md")
    return parser.parse_args()


def main():
    arguments = parse()
    rows = [row for row in ROWS if arguments.only in row.name]
    divisor = arguments.divisor

    def run(system, some):
        names = ", ".join(row.name for row in some) or "boot only"
        print(f"{system}: {names}", file=sys.stderr, flush=True)
        return boot(system, some, divisor, arguments.output, arguments.vmm)

    try:
        bare = read(run("bare", rows), rows)
        if arguments.verify and read(run("bare", rows), rows) != bare:
            raise Failure("the same run counted differently")
        vmm = read(run("ringone", rows), rows)
        for row in rows:
            events = max(1, row.count // divisor) * row.per
            if row.exact and abs(bare[row.name] / events / row.exact - 1) > 0.01:
                raise Failure(f"{row.name}: {bare[row.name] / events} instructions, not {row.exact}")
        report = []
        add_ratios(report, bare, vmm, rows, divisor)
        if not arguments.no_counters:
            base = counters(run("ringone", []))
            by_row = {row: counters(run("ringone", [row])) for row in rows if not row.exact}
            report.append("")
            add_counters(report, base, by_row, divisor)
    except Failure as why:
        print(f"bench/icount.py: {why}", file=sys.stderr)
        return 1
    text = "\n".join(report)
    print(text)
    with open(os.path.join(arguments.output, "ring0.md"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
