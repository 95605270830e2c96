"""What is measured: one Row each, in the order of the report; and the targets.

A row is a shell command. It prints something that does not depend on the system it runs on (the
programs of bench/workloads/ print a checksum), because that is compared: a system that does other
work is not faster, it is wrong.
"""

import dataclasses
import re

QUICK_DIVISOR = 4
ZEROS_MIB = 64  # the size of $Z at full size


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    group: str
    # Shell text; {n} is the count. $P is the folder of the programs, $B that of busybox's
    # links, $Z a file of zeros.
    command: str
    count: int = 1
    # Finds a rate in the output instead of comparing it; the row's "seconds" are `work` / rate.
    rate: re.Pattern | None = None
    work: float = 0
    unit: str = "workloads"  # rows of one unit share a boot

    def size(self, divisor):
        return max(1, self.count // divisor)

    def text(self, divisor):
        return self.command.format(n=self.size(divisor))


def program(name, group, count, file=None):
    return Row(name, group, f"$P/{file or name} {{n}}", count)


_LOOP = "i=0; while [ $i -lt {n} ]; do %si=$((i+1)); done; echo $i"
_DD = "$B/dd if=/dev/zero of=/dev/null bs=1 count={n}"

WORKLOADS = [
    program("call", "integer", 2000),
    program("sort", "integer", 60),
    program("sieve", "integer", 180),
    program("hash", "integer", 9000),
    program("dispatch", "integer", 36000),
    program("compress", "integer", 60),
    Row("sha256sum", "integer", "$B/sha256sum <$Z", ZEROS_MIB),
    Row("gzip of zeros", "integer", "$B/gzip <$Z | $B/wc -c", ZEROS_MIB),
    Row("shell loop", "integer", _LOOP % "", 200000),
    program("x87 n-body", "x87", 1000, "x87_nbody"),
    program("x87 mandelbrot", "x87", 30, "x87_mandelbrot"),
    program("x87 linear", "x87", 400, "x87_linear"),
    program("SSE n-body", "SSE", 2500, "sse_nbody"),
    program("SSE mandelbrot", "SSE", 80, "sse_mandelbrot"),
    program("SSE matrix", "SSE", 5000, "sse_matrix"),
    program("SSE integer", "SSE", 1500, "sse_integer"),
    program("copy rep movs", "memory", 1200, "copy_rep"),
    program("copy SSE", "memory", 6000, "copy_sse"),
    program("pointer chase", "memory", 80, "chase"),
    program("getppid int 80h", "kernel", 100, "getppid_int80"),
    program("getppid sysenter", "kernel", 2000, "getppid_sysenter"),
    program("pipe ping-pong", "kernel", 80000, "pipe"),
    program("16 processes", "kernel", 5000, "switch16"),
    program("fork wait", "kernel", 2000, "fork_wait"),
    program("fork exec wait", "kernel", 1500, "fork_exec"),
    program("touch fresh pages", "kernel", 150, "page_fault"),
    program("mprotect", "kernel", 80, "mprotect"),
    program("signal", "kernel", 50, "signal"),
    program("tmpfs", "kernel", 350, "tmpfs"),
    Row("sh fork+wait", "kernel", _LOOP % "(:); ", 1000),
    Row("sh fork+exec+wait", "kernel", _LOOP % "$B/true; ", 1000),
    Row("dd bs=1", "kernel", f"{_DD} 2>&1 | $B/grep out", 1000000),
]

BOOT = Row("boot to init", "boot", "", unit="boot")

COMPUTE = ("integer", "x87", "SSE", "memory")
# Its result depends on when the compiler rounds its 80-bit registers to memory: 64-bit code has another.
NOT_AS_64_BIT_CODE = ("x87 n-body",)


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on how the medians of two systems compare: `slower` / `faster`."""

    name: str
    groups: tuple
    slower: str
    faster: str
    mean: float | None = None  # the geometric mean over the groups
    every: float | None = None  # each row
    at_least: bool = True  # False: at most


TARGETS = [
    Target("compute, native time", COMPUTE, "ringone", "native", 1.25, 1.6, at_least=False),
    Target("integer against TCG", ("integer",), "qemu", "ringone", 5, 2),
    Target("x87 and SSE against TCG", ("x87", "SSE"), "qemu", "ringone", 20, 20),
    Target("kernel-heavy against TCG", ("kernel",), "qemu", "ringone", 3, 1.5),
    Target("real programs against TCG", ("real",), "qemu", "ringone", 4, 2.5),
    Target("boot to init against TCG", ("boot",), "qemu", "ringone", None, 2),
]

MEMORY_LIMIT_MIB = 96
TRANSLATE_CYCLES_LIMIT = 1500
TRANSLATE_BOOT_PERCENT_LIMIT = 5
