#!/usr/bin/env python3
"""Seeds for the fuzzers of this folder: seeds.py NAME DIRECTORY writes the corpus for fuzz-NAME.

frontend: every row of the differential test's instruction table and every one-byte opcode, with a
register and a memory operand, in 32- and 16-bit code, in both forms of operands.
devices: what a driver does with each chip.
tables: one use of each kind."""

import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "insn"))

import rows  # noqa: E402

TAIL = bytes.fromhex("1122334455667788")


def frontend():
    """struct setting of frontend.c, then code."""
    settings = [bytes((mode, flags, classes, 0, 0, 0, 0, 1))
                for mode, flags in ((0, 3), (0, 7), (0, 0x13), (0, 2), (2, 4), (3, 0))
                for classes in (0, 0xA6)]
    codes = []
    for row in rows.table():
        digit = (row.digit or 0) << 3
        for modrm in (0xC1, 0x86, 0x04):
            codes.append(row.prefix + row.opcode + bytes((modrm | digit,)) + TAIL)
    for first in (b"", b"\x0f", b"\x66\x0f", b"\xf3\x0f", b"\xf2\x0f"):
        codes += [first + bytes((op, 0x46)) + TAIL for op in range(256)]
    for op in (0x80, 0x81, 0x83, 0xC0, 0xD1, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xF6, 0xF7,
               0xFE, 0xFF, 0x8F):
        codes += [bytes((op, 0x06 | n << 3)) + TAIL for n in range(8)]
    inputs = [settings[n % len(settings)] + code for n, code in enumerate(codes)]
    # calls of the functions in front of the code that return their return address
    for flags in (0x03, 0x13, 0x33):
        for reg in range(8):
            ways = (4 * reg - 4096 - 6 - 6 * n for n in range(3))
            calls = [b"\xe8" + way.to_bytes(4, "little", signed=True) + b"\x50" for way in ways]
            inputs.append(bytes((0, flags, 0, 0, 0, 0, 0, 0, 0x55)) + b"".join(calls) + TAIL)
    return inputs


class Accesses:
    """Input of devices.c."""

    RANGES = (0x00, 0x20, 0x40, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xE9, 0xF0, 0x170, 0x1F0,
              0x2E8, 0x2F8, 0x376, 0x3B0, 0x3E8, 0x3F6, 0x3F8, 0x402, 0x4D0, 0x510, 0x600, 0xAF00,
              0xB000, 0xC000, 0xCF8, 0x604)
    LOG = {1: 0, 2: 1, 4: 2}

    def __init__(self, machine):
        self.data = bytes((machine,))

    def _port(self, port):
        first = max(r for r in self.RANGES if r <= port)
        return bytes((self.RANGES.index(first), port - first))

    def _op(self, number, size=1):
        return bytes((next(b for b in range(number, 256, 12) if (b >> 6) % 3 == self.LOG[size]),))

    def out(self, port, value, size=1):
        if size == 1:
            self.data += self._op(0) + self._port(port) + bytes((value,))
        else:
            self.data += self._op(3, size) + self._port(port) + value.to_bytes(4, "little")
        return self

    def inp(self, port, size=1):
        self.data += self._op(4, size) + self._port(port)
        return self

    def pci(self, function, register, value=None, size=4):
        where = bytes((function | self.LOG[size] << 5, register))
        self.data += (bytes((7,)) + where if value is None
                      else bytes((7 + 12 * 11,)) + where + value.to_bytes(4, "little"))
        return self

    def wait(self, log_ns):
        self.data += bytes((8, log_ns))
        return self

    def memory(self, at, value):
        self.data += bytes((9,)) + at.to_bytes(2, "little") + value.to_bytes(4, "little")
        return self

    def repeat(self, port, write, size, quarter):
        self.data += (bytes((10,)) + self._port(port)
                      + bytes((write | self.LOG[size] << 1, quarter)))
        return self

    def mmio(self, base, offset, size, write=False):
        self.data += (bytes((6 + 12 * (13 if write else 0),)) + bytes((base,))
                      + offset.to_bytes(2, "little") + bytes((size - 1,)) + bytes((0xA5,)) * write)
        return self

    def event(self, what):
        self.data += bytes((11, what))
        return self


def _ide(machine, command, count=2):
    a = Accesses(machine)
    return (a.out(0x3F6, 0).out(0x1F6, 0xE0).out(0x1F2, count).out(0x1F3, 4).out(0x1F4, 0)
            .out(0x1F5, 0).out(0x1F7, command))


def devices():
    seeds = []
    for machine in (0, 1):
        for icw in (0x11, 0x13, 0x19):
            seeds.append(Accesses(machine).out(0x20, icw).out(0x21, 0x30).out(0x21, 4).out(0x21, 1)
                         .out(0x21, 0).out(0xA0, icw).out(0xA1, 0x38).out(0xA1, 2).out(0xA1, 1)
                         .out(0x43, 0x34).out(0x40, 0x10).out(0x40, 0).wait(24).event(3)
                         .out(0x20, 0x20).out(0x20, 0x0B).inp(0x20))
        for mode in range(6):
            seeds.append(Accesses(machine).out(0x43, 0xB0 | mode << 1).out(0x42, 9).out(0x42, 0)
                         .out(0x61, 3).wait(20).out(0x43, 0xE8).inp(0x42).inp(0x42).inp(0x61))
        for register in range(14):
            seeds.append(Accesses(machine).out(0x70, register).out(0x71, 0x7A).inp(0x71).wait(30)
                         .out(0x70, 0xC).inp(0x71))
        for command in (0x20, 0x24, 0x29, 0xC4, 0xEC, 0x40, 0x42, 0x91, 0xC6, 0xEF, 0xE7, 0x90, 0xF8,
                        0x27, 0xE0, 0x08):
            seeds.append(_ide(machine, command).inp(0x3F6).repeat(0x1F0, 0, 2, 64).inp(0x1F7)
                         .out(0x3F6, 4).out(0x3F6, 0))
        for command in (0x30, 0x34, 0x39, 0xC5):
            seeds.append(_ide(machine, command).repeat(0x1F0, 1, 4, 64).inp(0x1F7).event(0))
        for command in (0xC8, 0xCA, 0x25, 0x35):
            a = Accesses(machine).pci(9, 0x20, 0xC001).pci(9, 4, 5)
            a.memory(0x1000, 0x2000).memory(0x1004, 0x80000400).out(0xC004, 0x1000, 4)
            a.data += _ide(machine, command).data[1:]
            seeds.append(a.out(0xC000, 9).wait(20).inp(0xC002).out(0xC002, 6).out(0xC000, 0))
        for function in (0, 8, 9, 11):
            for register in range(0, 0x100, 4):
                seeds.append(Accesses(machine).pci(function, register, 0xFFFFFFFF)
                             .pci(function, register))
        for index in range(9):
            seeds.append(Accesses(machine).out(0x3CE, index).out(0x3CF, 0x1F).out(0x3C4, index)
                         .out(0x3C5, 0x0F).out(0x3D4, index).out(0x3D5, 0x55).mmio(0, 0x123, 8, True)
                         .mmio(0, 0x120, 16).inp(0x3DA).out(0x3C0, index).out(0x3C0, 3))
        for base in (0x3F8, 0x2F8, 0x3E8, 0x2E8):
            seeds.append(Accesses(machine).out(base + 3, 0x80).out(base, 1).out(base + 1, 0)
                         .out(base + 3, 3).out(base + 2, 7).out(base + 1, 15).out(base, 65).wait(24)
                         .event(4).wait(24).inp(base).inp(base + 2).inp(base + 5)
                         .out(base + 4, 0x1B).out(base, 66).wait(22))
        for command in (0xAA, 0xA8, 0xD4, 0x60, 0xD1, 0x20, 0xFF, 0xF2, 0xED):
            seeds.append(Accesses(machine).out(0x64, command).out(0x60, 0xF4).inp(0x64).inp(0x60)
                         .out(0x60, command).wait(20).inp(0x60))
        for item in (0, 1, 5, 0x19, 0x20, 0x8000):
            seeds.append(Accesses(machine).out(0x510, item, 2).repeat(0x511, 0, 1, 40))
        for register in range(16):
            seeds.append(Accesses(machine).out(register, 5).out(register, 1).inp(register)
                         .out(0xC0 + 2 * register, 7).inp(0xC0 + 2 * register).out(0x80, register)
                         .out(0x600 + 4 * register, 0x2001, 4).inp(0x600 + 4 * register, 4).wait(30))
    return [a.data for a in seeds]


def tables():
    seeds = []
    for how in (0, 1, 4, 5, 13, 20, 21, 22):
        for callout in range(60):
            for a, b in ((0x80, 0), (0x12, 0x20), (0x0C, 0x28)):
                seeds.append(bytes((how, 3, callout, a, b, 0x0B, 4, 0x1B, 0, 0x0A, 0x10)))
        for vector in (0, 3, 8, 13, 14, 32):
            seeds.append(bytes((how, 5, vector, 0, 5, vector, 3, 0x28, 0)))
        for kind in range(0, 256, 4):
            seeds.append(bytes((how, 6, kind, 16, 0x0B, kind, 6, kind | 2, 0x77, 0x8A, 0, 0, 2, 0)))
        for what in range(7):
            seeds.append(bytes((how, 7, what, 0x05, 4, 0, 2, what, 3, 0x67, 0, 0x20, 0)))
        for access in range(0, 256, 8):
            seeds.append(bytes((how, 1, 6, access | 1, 0x4C, 5, 0, 3, 3, 0x80, 0, 0x0B, 4, 0x33, 0, 0)))
            seeds.append(bytes((how, 1, 6, access, 0x4C, 5, 0, 3, 4, 0x80, 0, 0x0B, 4, 0x30, 0, 0)))
    return seeds


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate({"frontend": frontend, "devices": devices, "tables": tables}[name]()):
        (folder / f"seed-{n:04}").write_bytes(seed)


if __name__ == "__main__":
    main()
