"""Cases of the differential instruction test: in memory, as the runners' binary file (world.h), and
as the text of regress/*.case."""

import struct

CODE_BASE, CODE_SIZE = 0x10000000, 0x80000
ARENA_BASE, RO_BASE, ARENA_END = 0x20000000, 0x20002000, 0x20003000
STACK_BASE, STACK_SIZE = 0x30000000, 0x1000
LOW_BASE, LOW_SIZE = 0xF000, 0x1000
USER_DS = 0x2B
NATIVE_IMAGE = range(0xD1350000, 0xD1600000)  # native.ld
REGS = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")
SEGS = ("ds", "es", "fs", "gs")
TERMINATOR = b"\xf4" * 8  # HLT: #GP(0) in user mode

MAGIC = 0x6E736E69
TIMER = 65535  # world.h
GDT_BYTES = 16 * 8
OPT_LOW, OPT_VERBOSE, OPT_DUMP, OPT_NO_X87, OPT_SAY = 1, 2, 4, 8, 16

# The LDT in force in every case, in front of LDT_OWN entries of the case's own: base, limit field,
# access byte, G | D << 1.
LDT = (
    (0x20000000, 0x02FFF, 0xF3, 2),  # 0x07 the arena, exactly
    (0x20000100, 0x00FFF, 0xF3, 2),  # 0x0f part of the arena
    (0x20000000, 0xFFFFF, 0xF1, 3),  # 0x17 read-only
    (0x20000000, 0x007FF, 0xF7, 2),  # 0x1f expand-down: offsets from 0x800
    (0xE0000000, 0xFFFFF, 0xF3, 3),  # 0x27 base + offset wraps round 4 GiB
    (0x00000000, 0xFFFFF, 0xF3, 3),  # 0x2f flat
    (0x00000000, 0xFFFFF, 0xFB, 3),  # 0x37 flat 32-bit code
    (0x20000000, 0xFFFFF, 0x73, 3),  # 0x3f not present
    (0x10000000, 0x0FFFF, 0xFB, 0),  # 0x47 16-bit code
    (0x30000000, 0x0FFFF, 0xF3, 0),  # 0x4f 16-bit stack
)


LDT_OWN = 2


class Item:
    """One instruction, or a few that belong together. A fixup (position, size, relative, skip,
    addend) makes the size bytes at position the address of the item skip places behind this one
    plus addend, relative to the end of the field if relative."""

    __slots__ = ("code", "fixups")

    def __init__(self, code, fixups=()):
        self.code = bytes(code)
        self.fixups = fixups


class Case:
    __slots__ = ("items", "gpr", "eflags", "seed", "fcw", "fsw", "ftw", "mxcsr", "seg", "patches",
                 "address", "name", "cut", "ldt")

    def __init__(self):
        self.items = []
        self.gpr = [0] * 8
        self.eflags = 0x202
        self.seed = 0
        self.fcw, self.fsw, self.ftw, self.mxcsr = 0x37F, 0, 0, 0x1F80
        self.seg = [USER_DS, USER_DS, 0, 0]
        self.patches = []
        self.address = CODE_BASE
        self.name = ""
        self.ldt = [(0, 0, 0, 0)] * LDT_OWN
        self.cut = 0  # if not 0: this many bytes less, and the code region ends behind the rest

    def copy(self):
        other = Case()
        for slot in Case.__slots__:
            value = getattr(self, slot)
            setattr(other, slot, list(value) if isinstance(value, list) else value)
        return other

    def without(self, index):
        """The case less item index; branches over it are shortened."""
        other = self.copy()
        other.items = []
        for i, item in enumerate(self.items):
            if i == index:
                continue
            fixups = []
            for position, size, relative, skip, addend in item.fixups:
                target = i + 1 + skip
                if i < index < target:
                    skip -= 1
                elif target <= index < i:
                    skip += 1
                fixups.append((position, size, relative, skip, addend))
            other.items.append(Item(item.code, tuple(fixups)))
        return other

    def code(self):
        """The bytes of the case at its address, terminator included."""
        items = self.items
        if self.cut:
            length = sum(len(item.code) for item in items) + len(TERMINATOR)
            self.cut = min(self.cut, length - 1)
            self.address = CODE_BASE + CODE_SIZE - length + self.cut
        starts = []
        at = self.address
        for item in items:
            starts.append(at)
            at += len(item.code)
        starts.append(at)
        parts = []
        last = len(items)
        for i, item in enumerate(items):
            if item.fixups:
                code = bytearray(item.code)
                for position, size, relative, skip, addend in item.fixups:
                    target = min(max(i + 1 + skip, 0), last)
                    value = starts[target] + addend
                    if relative:
                        value -= starts[i] + position + size
                        if size == 1 and not -128 <= value < 128:
                            value = 0
                    mask = (1 << 8 * size) - 1
                    code[position:position + size] = (value & mask).to_bytes(size, "little")
                parts.append(bytes(code))
            else:
                parts.append(item.code)
        parts.append(TERMINATOR)
        code = b"".join(parts)
        return code[:len(code) - self.cut]

    def pack(self):
        code = self.code()
        head = struct.pack("<IHHI8II3H4HHI", self.address, len(code), len(self.patches), self.seed,
                           *self.gpr, self.eflags, self.fcw, self.fsw, self.ftw, *self.seg, 0,
                           self.mxcsr)
        head += b"".join(struct.pack("<4I", *entry) for entry in self.ldt)
        patches = b"".join(struct.pack("<II", a, v) for a, v in self.patches)
        return head + patches + code + bytes(-len(code) % 4)

    def text(self):
        lines = [f"seed {self.seed:08x}", f"code {self.address:08x}"]
        lines += [f"{r} {v:08x}" for r, v in zip(REGS, self.gpr)]
        lines += [f"eflags {self.eflags:08x}", f"fcw {self.fcw:04x}", f"fsw {self.fsw:04x}",
                  f"ftw {self.ftw:04x}", f"mxcsr {self.mxcsr:08x}"]
        lines += [f"{s} {v:04x}" for s, v in zip(SEGS, self.seg)]
        lines += [f"ldt {i} {e[0]:08x} {e[1]:05x} {e[2]:02x} {e[3]}"
                  for i, e in enumerate(self.ldt) if e[2]]
        lines += [f"cut {self.cut}"] if self.cut else []
        lines += [f"patch {a:08x} {v:08x}" for a, v in self.patches]
        for item in self.items:
            fixups = "".join(f" @{p}:{s}:{int(r)}:{k}:{a}" for p, s, r, k, a in item.fixups)
            lines.append(f"insn {item.code.hex()}{fixups}")
        return "\n".join(lines) + "\n"


def parse(text, name=""):
    """The case that Case.text() or a hand-written file describes; '#' starts a comment."""
    case = Case()
    case.name = name
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        key, values = words[0], words[1:]
        if key == "insn":
            code = [w for w in values if not w.startswith("@")]
            fixups = [tuple(int(n) for n in w[1:].split(":")) for w in values if w[0] == "@"]
            case.items.append(Item(bytes.fromhex("".join(code)),
                                   tuple((p, s, bool(r), k, a) for p, s, r, k, a in fixups)))
        elif key == "patch":
            case.patches.append((int(values[0], 16), int(values[1], 16)))
        elif key == "ldt":  # base, limit field, access byte, G | D << 1
            case.ldt[int(values[0])] = (*(int(v, 16) for v in values[1:4]), int(values[4]))
        elif key in REGS:
            case.gpr[REGS.index(key)] = int(values[0], 16)
        elif key in SEGS:
            case.seg[SEGS.index(key)] = int(values[0], 16)
        elif key in ("seed", "eflags", "fcw", "fsw", "ftw", "mxcsr"):
            setattr(case, key, int(values[0], 16))
        elif key == "cut":
            case.cut = int(values[0])
        elif key == "code":
            case.address = int(values[0], 16)
        else:
            raise ValueError(f"{name}: unknown line: {line}")
    return case


def pack_file(packed, options, masks, expect=None, timer=TIMER, gdt=bytes(GDT_BYTES)):
    """The runners' input: packed cases, and the hashes the kernel shall expect. masks: the bits of
    EFLAGS and of error codes that are compared. gdt: the native runner's (native.c, -g)."""
    head = struct.pack("<IIIIII", MAGIC, len(packed), options, *masks, timer) + gdt
    head += b"".join(struct.pack("<IIII", *entry) for entry in LDT)
    hashes = expect if expect is not None else bytes(4 * len(packed))
    return head + hashes + b"".join(packed)


OUTCOME = struct.Struct("<5I8I6II288s")


class Outcome:
    """struct outcome and the doublewords the case changed."""

    def __init__(self, data, offset=0):
        fields = OUTCOME.unpack_from(data, offset)
        self.vector, self.error, self.cr2, self.eip, self.eflags = fields[:5]
        self.gpr = fields[5:13]
        self.seg = fields[13:19]
        self.memory = fields[19]
        self.fx = fields[20]
        self.mxcsr = struct.unpack_from("<I", self.fx, 24)[0]
        offset += OUTCOME.size
        (count,) = struct.unpack_from("<I", data, offset)
        words = struct.unpack_from(f"<{2 * count}I", data, offset + 4)
        self.changes = dict(zip(words[::2], words[1::2]))
        self.end = offset + 4 + 8 * count

    def fields(self):
        """Everything comparable as (name, value), in the order of importance."""
        yield "vector", self.vector
        yield "error", self.error
        yield "cr2", self.cr2
        yield "eip", self.eip
        yield from zip(REGS, self.gpr)
        yield "eflags", self.eflags
        yield from zip(("es", "cs", "ss", "ds", "fs", "gs"), self.seg)
        fcw, fsw, ftw = struct.unpack_from("<HHB", self.fx)
        yield "fcw", fcw
        yield "fsw", fsw
        yield "ftw", ftw
        yield "mxcsr", self.mxcsr
        for i in range(8):
            yield f"st{i}", int.from_bytes(self.fx[32 + 16 * i:42 + 16 * i], "little")
        for i in range(8):
            yield f"xmm{i}", int.from_bytes(self.fx[160 + 16 * i:176 + 16 * i], "little")
        yield "memory", self.memory

    def same(self, other):
        return list(self.fields()) == list(other.fields()) and self.changes == other.changes
