"""Builds the workload programs, the event guest, and the initrds of the guests."""

import gzip
import importlib.util
import os
import stat
import subprocess

from machine import GUEST, ROOT

BENCH = os.path.join(ROOT, "bench")

# Freestanding programs. No alignment or tuning for one CPU; -fno-tree-loop-distribute-patterns so that
# a loop stays the loop it is.
_COMMON = (
    "-mtune=generic -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib "
    "-static -fno-pic -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables "
    "-fcf-protection=none -fno-tree-loop-distribute-patterns -Wl,--build-id=none -Wl,-z,noexecstack"
)
FLAGS = f"-m32 -march=i686 {_COMMON}".split()
# 64-bit code with the i386 programs' sizes of data.
FLAGS64 = f"-mx32 {_COMMON}".split()
LIB = os.path.join(BENCH, "workloads/lib")
LIBRARY = [os.path.join(LIB, name) for name in ("rt.c", "rt_i386.c")]
LIBRARY64 = [os.path.join(LIB, name) for name in ("rt.c", "rt_x86_64.c")]
HEADERS = [os.path.join(LIB, name) for name in ("rt.h", "rt_priv.h")]
X87 = ["-mfpmath=387"]
SSE = ["-msse2", "-mfpmath=sse"]
# One source, two arithmetics.
TWICE = ("nbody", "mandelbrot")


def compiler():
    return os.environ.get("GUEST_CC", "gcc")


def newer(target, sources):
    """True when target exists and none of the sources changed after it."""
    if not os.path.exists(target):
        return False
    age = os.path.getmtime(target)
    return all(os.path.getmtime(source) < age for source in sources)


def run(command, **how):
    subprocess.run(command, check=True, **how)


def program(target, source, flags, library):
    """Compiles one program if it is older than what it is made from."""
    if newer(target, [source, *library, *HEADERS, __file__]):
        return
    run([compiler(), *flags, "-o", target, source, *library])
    if library == LIBRARY64:
        # For the kernel an ordinary 64-bit program: few kernels run x32's. Empty segments worry objcopy.
        run(["objcopy", "-I", "elf32-x86-64", "-O", "elf64-x86-64", target], stderr=subprocess.DEVNULL)


def programs(output):
    """Compiles bench/workloads/*.c into the folder; returns the programs' paths."""
    return _programs(output, FLAGS, LIBRARY, lambda name: True)


def programs64(output, wanted):
    """The same of those that are wanted, as 64-bit programs."""
    return _programs(output, FLAGS64, LIBRARY64, wanted.__contains__)


def _programs(output, flags, library, wanted):
    folder = os.path.join(BENCH, "workloads")
    os.makedirs(output, exist_ok=True)
    made = []
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".c"):
            continue
        stem = file[:-2]
        if stem in TWICE:
            variants = [("x87_" + stem, X87), ("sse_" + stem, SSE)]
        else:
            variants = [(stem, SSE if "sse" in stem else X87)]
        source = os.path.join(folder, file)
        for name, arithmetic in variants:
            if not wanted(name):
                continue
            made.append(os.path.join(output, name))
            program(made[-1], source, [*flags, *arithmetic], library)
    made.append(os.path.join(output, "stamp"))
    program(made[-1], os.path.join(LIB, "stamp.c"), flags, library)
    return made


def cpio():
    """The archive writer of host/scripts/make-initrd.py."""
    path = os.path.join(ROOT, "host/scripts/make-initrd.py")
    spec = importlib.util.spec_from_file_location("make_initrd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Cpio()


def initrd(output, script, files, more=()):
    """The guest's ordinary initrd, then an archive with /bench/run and the files in /bench.

    The kernel unpacks any number of archives one after the other; `more` are paths of further ones.
    """
    archive = cpio()
    archive.add("bench", stat.S_IFDIR | 0o755)
    archive.add("bench/run", stat.S_IFREG | 0o755, script.encode())
    for path in files:
        with open(path, "rb") as file:
            name = "bench/" + os.path.basename(path)
            archive.add(name, stat.S_IFREG | 0o755, file.read())
    with open(output, "wb") as file:
        for path in (os.path.join(GUEST, "initrd.gz"), *more):
            with open(path, "rb") as part:
                file.write(part.read())
            file.write(bytes(-file.tell() % 4))
        file.write(gzip.compress(archive.finish(), 1, mtime=0))
