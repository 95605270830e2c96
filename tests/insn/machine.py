"""The two worlds of the differential instruction test: this machine's CPU, and a guest of ringone or
QEMU."""

import os
import struct
import subprocess
import sys
import tempfile

import casefile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, "build", "tests", "insn")
CFLAGS = ("-std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-stack-protector "
          "-fno-asynchronous-unwind-tables -mgeneral-regs-only -I.").split()
CFLAGS32 = "-m32 -march=i686 -fno-pic".split()
CFLAGS64 = "-m64 -fpie -mno-red-zone -fcf-protection=none".split()
PROGRAMS = {  # flags, sources beside world.c, linker script
    "native": (CFLAGS32, ["native.c"], "native.ld"),
    "native64": (CFLAGS64, ["native64.c", "recode.c"], "native64.ld"),
    "kernel.elf": (CFLAGS32, ["kernel.S", "kernel.c"], "kernel.ld"),
}
NATIVE_SECONDS = 1200  # on a machine as busy as that
TIED = ["setpriv", "--pdeathsig", "TERM"]  # a guest ends with this process, however that ends
# Linux's GDT tells the CPU's number.
ONE_CPU = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
MAX_DUMPS = 32  # kernel.c
STOPPED = "stopped after many differences"
# RF in a pushed EFLAGS image is not compared, nor is IF: user code cannot change it.
EFLAGS_MASK = 0x00244DD5


def build():
    """Compiles the runners when a source is newer."""
    os.makedirs(OUT, exist_ok=True)
    for target, (flags, sources, script) in PROGRAMS.items():
        output = os.path.join(OUT, target)
        inputs = [os.path.join(HERE, f) for f in sources + ["world.c", "world.h", "recode.h", script]]
        if os.path.exists(output) and all(os.path.getmtime(i) <= os.path.getmtime(output)
                                          for i in inputs):
            continue
        files = [f"tests/insn/{f}" for f in sources + ["world.c"]]
        subprocess.run([os.environ.get("CC", "gcc"), *CFLAGS, *flags, "-nostdlib", "-static",
                        f"-Wl,-T,tests/insn/{script}", "-Wl,--build-id=none", "-o", output, *files],
                       cwd=TOP, check=True)


def runs_32bit_programs():
    try:
        return subprocess.run([os.path.join(OUT, "native"), "-g"], input=casefile.pack_file([], 0, (0, 0)),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except OSError:
        return False


class Native:
    """This machine's CPU. Cases that 64-bit code cannot do have the hash 0 where the kernel runs no
    32-bit programs (native64.c)."""

    name = "native"

    def __init__(self, machine, program):
        self.machine, self.program = machine, os.path.join(OUT, program)

    def run(self, packed, *option):
        data = casefile.pack_file(packed, self.machine.options, self.machine.mask)
        done = subprocess.run([*ONE_CPU, self.program, *option], input=data, stdout=subprocess.PIPE,
                              timeout=NATIVE_SECONDS, check=False)
        if done.returncode:
            sys.exit(f"insn: the native runner failed ({done.returncode})")
        return done.stdout

    def hashes(self, packed):
        return self.run(packed)

    def steps(self, packed):
        """Per case how many instructions it executes, and whether a repeated one overwrites itself."""
        return list(struct.iter_unpack("<II", self.run(packed, "-s")))

    def outcomes(self, packed):
        result, outcomes, at = self.run(packed, "-f"), [], 0
        for _ in packed:
            outcomes.append(casefile.Outcome(result, at))
            at = outcomes[-1].end
        return outcomes

    def gdt(self):
        return self.run([], "-g")


class OtherForm:
    """The guest itself, in one of its forms, as the reference for the others."""

    name = "otherwise"

    def __init__(self, machine, form):
        self.machine, self.form, self.deaths = machine, form, []

    def in_form(self, call, *args):
        form, self.machine.form = self.machine.form, self.form
        result = call(*args)
        self.machine.form = form
        return result

    def hashes(self, packed):
        """A case in which the guest dies has the hash 0 and is in deaths: (index, why)."""
        found = {}
        failures = self.in_form(self.machine.guest, packed, bytes(4 * len(packed)), found)
        self.deaths = [(i, why) for i, _, why in failures]
        return b"".join(struct.pack("<I", found.get(i, 0)) for i in range(len(packed)))

    def outcomes(self, packed):
        """None for those behind one in which the guest dies."""
        options = self.machine.options | casefile.OPT_DUMP
        outcomes, _, _ = self.in_form(self.machine.guest_once, packed, bytes(4 * len(packed)), options)
        return [outcomes.get(i) for i in range(len(packed))]

    @staticmethod
    def steps(packed):
        return [(0, True)] * len(packed)  # nobody has counted; it may have


class Machine:
    """How the guest is started."""

    def __init__(self, args):
        self.args = args
        self.form = None  # of the guest's memory operands
        self.timer = args.timer
        self.twofold = set()  # names of cases that do not always end alike in the reference
        self.options = casefile.OPT_LOW if low_page_available() else 0
        self.mask = (EFLAGS_MASK, 0xFFFFFFFF)
        if args.reference:  # QEMU's x87 is approximate and it reads before it writes
            self.options |= casefile.OPT_NO_X87
            self.mask = (EFLAGS_MASK, 0xFFFFFFFF & ~2)
        self.native = Native(self, "native64" if args.long_mode else "native")
        self.reference = self.native
        self.gdt = self.native.gdt()

    def command(self, module):
        kernel = os.path.join(OUT, "kernel.elf")
        if self.args.reference:
            return ["qemu-system-i386", "-accel", "tcg", "-cpu", "max", "-m", "64", "-kernel",
                    kernel, "-initrd", module, "-display", "none", "-serial", "stdio", "-monitor",
                    "none", "-no-reboot"]
        form = ["-accel", f"process,form={self.form}"] if self.form else []
        return [os.environ.get("RINGONE") or os.path.join(TOP, "build", "ringone"), "-m", "64",
                "-kernel", kernel, "-initrd", module, "-nographic", "-no-reboot", *form]

    def guest_once(self, packed, expect, options):
        """One guest run. Returns (outcomes by index, cases finished, why it ended early)."""
        with tempfile.NamedTemporaryFile(prefix="insn-", suffix=".bin") as module:
            module.write(casefile.pack_file(packed, options, self.mask, expect, self.timer,
                                            self.gdt))
            module.flush()
            limit = 20 + len(packed) * self.args.case_ms / 1000
            try:
                result = subprocess.run(TIED + self.command(module.name), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        timeout=limit, check=False)
                output, ended = result.stdout, f"exit status {result.returncode}"
                if result.stderr:
                    ended += ": " + result.stderr.decode(errors="replace").strip()[-2000:]
            except subprocess.TimeoutExpired as expired:
                output, ended = expired.stdout or b"", f"no end within {limit:.0f} s"
        outcomes, finished, complete = {}, 0, False
        self.said = []  # with OPT_SAY: hashes
        for line in output.replace(b"\r", b"").split(b"\n"):
            words = line.split()
            if len(words) == 2 and words[0] == b"@":
                finished = int(words[1], 16)
            elif len(words) == 2 and words[0] == b"H":
                self.said.append(int(words[1], 16))
            elif len(words) == 4 and words[0] == b"D":
                data = bytes.fromhex(words[2].decode())
                if sum(data) & 0xFFFFFFFF == int(words[3], 16):
                    outcomes[int(words[1], 16)] = casefile.Outcome(data)
            elif line.startswith(b"insn: done "):
                complete = True
            elif line.startswith(b"insn: panic"):
                ended = line.decode(errors="replace")
        if complete and len(outcomes) >= MAX_DUMPS and max(outcomes) + 1 < len(packed):
            finished, ended, complete = max(outcomes) + 1, STOPPED, False
        return outcomes, finished, None if complete else ended

    def guest(self, packed, expect, found=None):
        """Runs all cases, over again behind one that kills the guest. Returns (index, outcome or
        None, text) of each case with an unexpected end. With found, no end is unexpected: it gets
        their hashes by index."""
        failures, start, deaths = [], 0, 0
        usual = self.options | (casefile.OPT_SAY if found is not None else 0)
        options = usual
        while start < len(packed):
            outcomes, finished, why = self.guest_once(packed[start:], expect[4 * start:], options)
            if found is not None:
                found.update((start + i, value) for i, value in enumerate(self.said))
            failures += [(start + i, o, "") for i, o in sorted(outcomes.items())]
            if why is None:
                break
            if why == STOPPED:
                start += finished
                options = usual
                continue
            if options & casefile.OPT_VERBOSE:
                deaths += 1
                failures.append((start + finished, None, f"the guest died: {why}"))
                start += finished + 1
                options = usual
                if deaths == self.args.max_deaths:
                    failures += [(i, None, "did not run: too many guests died")
                                 for i in range(start, len(packed))]
                    break
            else:
                start += finished
                options |= casefile.OPT_VERBOSE
                failures = [f for f in failures if f[0] < start]
        return failures


def low_page_available():
    with open("/proc/sys/vm/mmap_min_addr", encoding="ascii") as f:
        return int(f.read()) <= casefile.LOW_BASE
