#!/usr/bin/env python3
"""Bad options, bad files and a host that refuses: each must end at once with exit status 2 and one
line on standard error that begins with "ringone: " and names what is wrong.

    tests/boot/bad_input.py [NAME...]     all checks, or those whose name contains a NAME

Environment: RINGONE is the binary (default build/ringone).
"""

import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
RINGONE = os.environ.get("RINGONE", str(TREE / "build" / "ringone"))
SECONDS = 20
LONG = "/" + "x/" * 5000  # no host opens it
MIB = 1 << 20


def bzimage(version=0x20C, loadflags=1, xloadflags=0, init_size=MIB, payload=4096, cmdline_size=255):
    """A Linux kernel as far as its setup header goes (Linux's Documentation/x86/boot.rst)."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    struct.pack_into("<I", setup, 0x1F4, payload // 16)
    struct.pack_into("<H", setup, 0x1FE, 0xAA55)
    setup[0x200:0x202] = bytes([0xEB, 0x66])
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, version)
    setup[0x211] = loadflags
    struct.pack_into("<I", setup, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<H", setup, 0x236, xloadflags)
    struct.pack_into("<I", setup, 0x238, cmdline_size)
    struct.pack_into("<I", setup, 0x260, init_size)
    return bytes(setup) + b"\xf4" * payload


def multiboot(flags=3, elf_class=1, machine=3, paddr=MIB, filesz=16, memsz=16):
    """An ELF kernel with one segment (Multiboot Specification 0.6.96, System V ABI)."""
    header = struct.pack("<III", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF)
    ident = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    elf = ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, paddr, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 96, paddr, paddr, filesz, memsz, 7, 4096)
    return elf + segment + header + b"\xf4" * 16


FILES = {
    "good": bzimage(),
    "empty": b"",
    "text": b"#!/bin/sh\necho not a kernel\n" * 1000,
    "one-byte": b"M",
    "short-setup": bzimage()[:0x230],
    "short-payload": bzimage()[:-100],
    "zimage": bzimage(loadflags=0),
    "old": bzimage(version=0x201),
    "linux64": bzimage(xloadflags=1),
    "huge-init": bzimage(init_size=200 * MIB),
    "elf64": multiboot(elf_class=2),
    "mips": multiboot(machine=8),
    "mb-feature": multiboot(flags=0x8),
    "mb-short": multiboot()[:-1],
    "mb-high": multiboot(paddr=0xF0000000),
    "mb-hole": multiboot(paddr=0xA0000),
    "mb-malformed": multiboot(filesz=16, memsz=8),
    "initrd": b"\0" * (5 * MIB),
}

# name, arguments, what the line says behind "ringone: "; {name} stands for a file of FILES
CHECKS = [
    ("no-options", [], "-kernel, -hda or -bios FILE is missing; ringone -help lists the options"),
    ("unknown", ["-foo"], "unknown option '-foo'; ringone -help lists the options"),
    ("stray", ["disk"], "'disk' is not an option; ringone -help lists the options"),
    ("no-argument", ["-kernel"], "-kernel needs an argument"),
    ("memory-word", ["-m", "lots"], "-m: 'lots' is not a size such as 256, 256M or 1G"),
    ("memory-big", ["-m", "64G"], "-m: '64G' is outside 4M to 3584M"),
    ("memory-small", ["-m", "0"], "-m: '0' is outside 4M to 3584M"),
    ("accel", ["-accel", "kvm"], "-accel: 'kvm' is neither process nor ring0"),
    ("serial", ["-kernel", "{good}", "-serial", "file:/nonexistent/log"],
     "-serial: cannot write '/nonexistent/log': No such file or directory"),
    ("trace-file", ["-kernel", "{good}", "-D", "/nonexistent/log"],
     "-D: cannot write '/nonexistent/log': No such file or directory"),
    ("missing", ["-kernel", "/nonexistent/kernel"],
     "-kernel: cannot read '/nonexistent/kernel': No such file or directory"),
    ("directory", ["-kernel", "/"], "-kernel: cannot read '/': Is a directory"),
    ("missing-bios", ["-bios", "/nonexistent/bios"],
     "-bios: cannot read '/nonexistent/bios': No such file or directory"),
    ("short-bios", ["-bios", "{text}"], "-bios: '{text}' is not a ROM of 64K, 128K, ... 16M"),
    ("bios-and-kernel", ["-bios", "{text}", "-kernel", "{good}"],
     "-bios: firmware does not load a -kernel; give one of them"),
    ("missing-disk", ["-hdc", "/nonexistent/disk"],
     "-hdc: cannot open '/nonexistent/disk': No such file or directory"),
    ("directory-disk", ["-hda", "/"], "-hda: cannot open '/': Is a directory"),
    ("tiny-disk", ["-hda", "{one-byte}"],
     "-hda: cannot open '{one-byte}': it has less than one sector of 512 bytes"),
    ("disk-twice", ["-hda", "{text}", "-drive", "file={text},index=0"],
     "-drive: disk 0 is given twice"),
    ("drive-format", ["-drive", "file={text},format=qcow2"],
     "-drive: 'format=qcow2' is not one of file=, format=raw, if=ide, media=disk, index=0 to 3, "
     "readonly=on|off, snapshot=on|off"),
    ("screendump", ["-hda", "{text}", "-screendump-text", "/nonexistent/s"],
     "-screendump-text: cannot write '/nonexistent/s': No such file or directory"),
    ("profile", ["-kernel", "{good}", "-profile", "/nonexistent/p"],
     "-profile: cannot write '/nonexistent/p': No such file or directory"),
    ("profile-ring0", ["-kernel", "{good}", "-accel", "ring0", "-profile", "/nonexistent/p"],
     "-profile: cannot write '/nonexistent/p': No such file or directory"),
    ("screendump-ring0", ["-accel", "ring0", "-hda", "{text}", "-screendump-text", "/nonexistent/s"],
     "-screendump-text: cannot write '/nonexistent/s': No such file or directory"),
    ("trace-ring0", ["-kernel", "{good}", "-accel", "ring0", "-D", "/nonexistent/t"],
     "-D: cannot write '/nonexistent/t': No such file or directory"),
    ("symbols-ring0", ["-kernel", "{good}", "-accel", "ring0", "-symbols", "/nonexistent/m"],
     "-symbols: cannot read '/nonexistent/m': No such file or directory"),
    ("filter-ring0", ["-kernel", "{good}", "-accel", "ring0", "-dfilter", "a\nb"],
     "-accel ring0: -dfilter must be one line"),
    ("long-disk", ["-hda", LONG], f"-hda: cannot open '{LONG[:150]}': File name too long"),
    ("long-disk-ring0", ["-accel", "ring0", "-drive", f"file={LONG}"],
     f"-drive: cannot open '{LONG[:150]}': File name too long"),
    ("missing-disk-ring0", ["-accel", "ring0", "-hda", "/nonexistent/disk"],
     "-hda: cannot open '/nonexistent/disk': No such file or directory"),
    ("serial-ring0", ["-accel", "ring0", "-kernel", "{good}", "-serial", "file:/nonexistent/log"],
     "-serial: cannot write '/nonexistent/log': No such file or directory"),
    ("long-serial-ring0", ["-accel", "ring0", "-kernel", "{good}", "-serial", "file:" + LONG],
     f"-serial: cannot write '{LONG[:100]}': File name too long"),
    ("missing-initrd", ["-kernel", "{good}", "-initrd", "/nonexistent/i"],
     "-initrd: cannot read '/nonexistent/i': No such file or directory"),
    ("missing-module", ["-kernel", "{good}", "-initrd", "{initrd} a,/nonexistent/m b"],
     "-initrd: cannot read '/nonexistent/m': No such file or directory"),
    ("two-initrds", ["-kernel", "{good}", "-initrd", "{initrd},{initrd}"],
     "-initrd: a Linux kernel takes one initrd file only"),
    ("empty", ["-kernel", "{empty}"], "-kernel: '{empty}': the kernel file is empty"),
    ("text", ["-kernel", "{text}"],
     "-kernel: '{text}': the kernel is neither a Linux bzImage nor a Multiboot image"),
    ("one-byte", ["-kernel", "{one-byte}"],
     "-kernel: '{one-byte}': the kernel is neither a Linux bzImage nor a Multiboot image"),
    ("short-setup", ["-kernel", "{short-setup}"],
     "-kernel: '{short-setup}': the kernel file ends before its last part"),
    ("short-payload", ["-kernel", "{short-payload}"],
     "-kernel: '{short-payload}': the kernel file ends before its last part"),
    ("zimage", ["-kernel", "{zimage}"],
     "-kernel: '{zimage}': the Linux kernel is a zImage, not a bzImage"),
    ("old", ["-kernel", "{old}"],
     "-kernel: '{old}': the Linux kernel's boot protocol is older than 2.02 (Linux 2.4)"),
    ("linux64", ["-kernel", "{linux64}"],
     "-kernel: '{linux64}': the kernel is a 64-bit one; the virtual machine is a 32-bit PC"),
    ("elf64", ["-kernel", "{elf64}"],
     "-kernel: '{elf64}': the kernel is a 64-bit one; the virtual machine is a 32-bit PC"),
    ("mips", ["-kernel", "{mips}"],
     "-kernel: '{mips}': the kernel's ELF header names another processor than the 80386"),
    ("multiboot-feature", ["-kernel", "{mb-feature}"],
     "-kernel: '{mb-feature}': the Multiboot kernel requires a feature of its loader that version 1 "
     "does not define"),
    ("multiboot-short", ["-kernel", "{mb-short}"],
     "-kernel: '{mb-short}': the kernel file ends before its last part"),
    ("multiboot-high", ["-kernel", "{mb-high}"],
     "-kernel: '{mb-high}': the kernel wants memory that the virtual machine does not have there "
     "(see -m)"),
    ("multiboot-hole", ["-kernel", "{mb-hole}"],
     "-kernel: '{mb-hole}': the kernel wants memory that the virtual machine does not have there "
     "(see -m)"),
    ("multiboot-malformed", ["-kernel", "{mb-malformed}"],
     "-kernel: '{mb-malformed}': the kernel's ELF headers are damaged"),
    ("kernel-too-big", ["-kernel", "{huge-init}"],
     "-kernel: '{huge-init}': the kernel does not fit the guest's memory (see -m)"),
    ("initrd-too-big", ["-m", "6", "-kernel", "{good}", "-initrd", "{initrd}"],
     "-initrd: the initrd or modules do not fit the guest's memory (see -m)"),
    ("long-append", ["-kernel", "{good}", "-append", "x" * 256],
     "-append: the kernel command line is too long"),
]


def run(arguments, **options):
    return subprocess.run([RINGONE] + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=SECONDS, text=True, **options)


def refused(arguments, line, **options):
    """None, or how the run differs from: status 2, nothing on stdout, this one line on stderr."""
    done = run(arguments, **options)
    if done.returncode != 2:
        return f"exit status {done.returncode}: {done.stderr[:300]!r}"
    if done.stdout:
        return f"standard output has {done.stdout[:300]!r}"
    if done.stderr != f"ringone: {line}\n":
        return f"wanted {line!r}, standard error has {done.stderr[:300]!r}"
    return None


def check_little_address_space(paths):
    """The host gives less address space than guest RAM and translations take (ulimit -v)."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (128 * MIB, 128 * MIB))

    return refused(["-kernel", paths["good"], "-m", "64"],
                   "the host does not give the memory for a guest of 64 MiB (see ulimit -v)",
                   preexec_fn=limit)


def check_little_file_space(paths):
    """Guest RAM is a memory file: a limit on file sizes hits it (ulimit -f)."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 * MIB, 16 * MIB))

    return refused(["-kernel", paths["good"], "-m", "64"],
                   "the host does not give the memory for a guest of 64 MiB (see ulimit -v)",
                   preexec_fn=limit)


def check_help(_):
    """-help goes to standard output, fits a screen, and is no error."""
    done = run(["-help"])
    lines = done.stdout.splitlines()
    if done.returncode or done.stderr:
        return f"exit status {done.returncode}, standard error {done.stderr!r}"
    if len(lines) > 24 or max(map(len, lines)) > 80:
        return f"{len(lines)} lines of up to {max(map(len, lines))} columns"
    missing = [o for o in ("-kernel", "-initrd", "-append", "-m", "-serial") if o not in done.stdout]
    return f"no word of {missing}" if missing else None


def check_version(_):
    done = run(["--version"])
    good = done.returncode == 0 and done.stdout.startswith("ringone ") and not done.stderr
    return None if good else repr(done)


OTHER_CHECKS = [
    ("little-address-space", check_little_address_space),
    ("little-file-space", check_little_file_space),
    ("help", check_help),
    ("version", check_version),
]


def main():
    wanted = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: f"{folder}/{name}" for name in FILES}
        for name, content in FILES.items():
            pathlib.Path(paths[name]).write_bytes(content)

        def fill(text):
            for file, path in paths.items():
                text = text.replace("{" + file + "}", path)
            return text

        jobs = [(name, lambda a=arguments, l=line: refused([fill(w) for w in a], fill(l)))
                for name, arguments, line in CHECKS]
        jobs += [(name, lambda f=function: f(paths)) for name, function in OTHER_CHECKS]
        for name, job in jobs:
            if wanted and not any(w in name for w in wanted):
                continue
            try:
                trouble = job()
            except subprocess.TimeoutExpired:
                trouble = f"still running after {SECONDS} s"
            if trouble:
                failed += 1
                print(f"FAIL {name}: {trouble}", flush=True)
            else:
                passed += 1
    print(f"bad_input: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
