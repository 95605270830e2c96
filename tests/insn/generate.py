"""Generator of the differential instruction test: random cases from the table in rows.py and from
the composite instructions below.

The generator follows what each register holds as far as it knows it, so that most memory operands
fall into the mapped regions. Where it is wrong (it does not execute anything) the case faults, in
both worlds alike."""

import random
import re

import casefile
import rows
from casefile import Item

M32 = 0xFFFFFFFF
EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI = range(8)
ARENA, RO, STACK, LOW = (casefile.ARENA_BASE, casefile.RO_BASE, casefile.STACK_BASE,
                         casefile.LOW_BASE)
FLAG_BITS = {"o": 0x800, "s": 0x80, "z": 0x40, "a": 0x10, "p": 4, "c": 1}
VALUES = (0, 1, 2, 7, 8, 0x0F, 0x10, 0x1F, 0x20, 0x21, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000,
          0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x99999999, 0x12345678)
SEG_PREFIX = {"es": b"\x26", "cs": b"\x2e", "ss": b"\x36", "ds": b"\x3e", "fs": b"\x64",
              "gs": b"\x65"}


# Selectors whose descriptors are alike in Linux and in kernel.c, or that are beyond the tables.
SELECTORS = (0, 3, 0x23, 0x2B, 0x28, 0x29, 0x08, 0x0B, 0x18, 0x1B, 0x04, 0x07, 0x0F, 0x14, 0x17,
             0x1F, 0x27, 0x2F, 0x34, 0x37, 0x3F, 0x57, 0x5F, 0x67, 0x80, 0x83, 0xFFF8, 0xFFFF)
OWN = tuple(range(len(casefile.LDT), len(casefile.LDT) + casefile.LDT_OWN))  # LDT entries


class Settings:
    """low: the low page exists; misaligned: MXCSR.MM does; reference: generate nothing the reference
    is known to do differently; only, without: expressions that rows' names must or must not match."""

    def __init__(self, low=True, misaligned=False, reference=False, only=None, without=None):
        self.low, self.misaligned, self.reference = low, misaligned, reference
        self.only, self.without = only, without


def le(value, size):
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


class Pool:
    """Weighted choice."""

    def __init__(self, entries):
        self.values = [v for _, v in entries]
        self.cumulative, total = [], 0.0
        for weight, _ in entries:
            total += weight
            self.cumulative.append(total)

    def pick(self, rng):
        return rng.choices(self.values, cum_weights=self.cumulative)[0]


class Memory:
    """An encoded memory operand: prefixes, ModRM with reg 0, SIB and displacement; its target."""

    __slots__ = ("prefix", "modrm", "tail", "target")

    def __init__(self, prefix, modrm, tail, target):
        self.prefix, self.modrm, self.tail, self.target = prefix, modrm, tail, target


class Builder:
    """Builds one case."""

    def __init__(self, rng, settings, pools):
        self.rng, self.settings, self.pools = rng, settings, pools
        self.case = casefile.Case()
        self.items = self.case.items
        self.joins = []
        self.stored = -1  # items when the last one has stored FPU state, which it must clean up
        self.d16 = False  # in 16-bit code
        self.o32 = b""  # prefixes for 32-bit operands and addresses
        self.a32 = b""
        self.seg_base = {"ds": 0, "es": 0, "ss": 0, "cs": 0}

    # -- set-up --

    def value(self):
        rng = self.rng
        r = rng.random()
        if r < 0.45:
            return rng.choice(VALUES)
        if r < 0.6:
            return rng.getrandbits(8)
        return rng.getrandbits(32)

    def start(self):
        rng, case = self.rng, self.case
        case.seed = rng.getrandbits(32)
        case.eflags = 0x202 | (rng.getrandbits(12) & 0x8D5) | (0x400 if rng.random() < 0.2 else 0)
        case.gpr = [self.value() for _ in range(8)]
        for reg in (EBX, EBP, ESI, EDI):
            if rng.random() < 0.7:
                case.gpr[reg] = self.target(4)
        case.gpr[ESP] = STACK + 0x800 + 4 * rng.randrange(-64, 64)
        r = rng.random()
        if r < 0.03:
            case.gpr[ESP] = STACK + 4 * rng.randrange(0, 6)
        elif r < 0.06:
            case.gpr[ESP] = STACK + 0x1000 - 4 * rng.randrange(0, 6)
        elif r < 0.08:
            case.gpr[ESP] += rng.randrange(1, 4)
        if rng.random() < 0.2:
            case.fcw = 0x40 | (rng.getrandbits(4) << 8) | (
                0x3F if rng.random() < 0.7 else rng.getrandbits(6))
            case.fcw = case.fcw if case.fcw & 0x300 != 0x100 else case.fcw ^ 0x100
        if rng.random() < 0.2:
            case.mxcsr = rng.getrandbits(16) & 0xE040 | (
                0x1F80 if rng.random() < 0.7 else rng.getrandbits(6) << 7)
            if self.settings.reference:
                case.mxcsr &= ~0x8040
            elif self.settings.misaligned and case.seed % 4 == 0:
                case.mxcsr |= 0x20000
        if rng.random() < 0.5:
            case.ftw = rng.getrandbits(8)
            case.fsw = (rng.getrandbits(3) << 11) | (rng.getrandbits(3) << 8)
        self.known = list(case.gpr)
        self.known[ESP] = None
        if rng.random() < 0.25 and not self.settings.reference:
            own = rng.random() < 0.6
            if own:
                case.ldt = [self.descriptor() for _ in OWN]
            self.start_segments(own)

    def descriptor(self):
        """Any segment that native code can have: base, limit, type, size. Most reach some memory,
        many end within it."""
        rng = self.rng
        code = rng.random() < 0.3
        r = rng.random()
        if r < 0.15:
            base = 0
        elif r < 0.6:
            near = rng.choice((casefile.CODE_BASE,) if code else (ARENA, ARENA, ARENA, STACK))
            base = near + rng.choice((0, 0, 16, 0xFF0, 0x1000, -0x1000, -0x10000,
                                      rng.randrange(-0x2000, 0x2000)))
        elif r < 0.8:
            base = rng.choice((0x80000000, 0xE0000000, 0xFFFFF000, 0xFFFFFFFF, 1, 0x1000,
                               ARENA - 0x80000000, STACK - 0xF0000000))
        else:
            base = rng.getrandbits(32)
        base &= M32
        edge = rng.choice((ARENA, ARENA, STACK, RO) if not code else (casefile.CODE_BASE, ARENA))
        last = (edge + rng.choice((0x7FF, 0xFFF, 0x1000, 0x1FFF, rng.randrange(0x3000))) - base) & M32
        r = rng.random()
        large = 0
        if r < 0.5 and last < 1 << 20:
            limit = last
        elif r < 0.7:
            limit, large = last >> 12, 1
        elif r < 0.9:
            limit, large = 0xFFFFF, rng.randrange(2)
        else:
            limit, large = rng.getrandbits(20) >> rng.randrange(20), rng.randrange(2)
        access = 0x71 | (0x80 if rng.random() < 0.96 else 0)
        if code:
            access |= 8 | (2 if rng.random() < 0.7 else 0)
        else:
            access |= (2 if rng.random() < 0.8 else 0) | (4 if rng.random() < 0.3 else 0)
        flags = large | (2 if rng.random() < 0.75 else 0)
        if (base, limit, access, flags) == (0, 0, 0x71, 0):
            limit = 1  # Linux takes this very one for an order to empty the entry
        return base, limit, access, flags

    def ldt(self, k):
        """LDT entry k."""
        return self.case.ldt[k - OWN[0]] if k in OWN else casefile.LDT[k]

    def own(self, code):
        """The case's own LDT entries with code, or data, in them."""
        return [k for k in OWN if self.ldt(k)[2] and bool(self.ldt(k)[2] & 8) == code]

    def start_segments(self, own):
        rng = self.rng
        choice = (0, 0, 1, 2, 3, 4, 4, 5, 5)
        if own:  # readable code is data, too
            choice = [k for k in OWN if self.ldt(k)[2] & 0x8A in (0x80, 0x82, 0x8A)] or choice
        for i, name in enumerate(casefile.SEGS):
            if rng.random() < (0.25 if name in ("ds", "es") else 0.6):
                k = rng.choice(choice)
                self.case.seg[i] = 8 * k + 7
                self.seg_base[name] = self.ldt(k)[0]

    # -- operands --

    def target(self, size, align=False):
        """A linear address for an operand of size bytes."""
        rng = self.rng
        r = rng.random()
        if r < 0.62:
            at = ARENA + rng.randrange(0, 0x2000 - 64)
            if size and (align or rng.random() < 0.6):
                at &= -size
        elif r < 0.72:
            at = ARENA + 0x1000 - rng.randrange(0, size + 2)
        elif r < 0.78:
            at = RO - rng.randrange(0, size + 2)
        elif r < 0.81:
            at = RO + rng.randrange(0, 0x1000)
        elif r < 0.825:
            at = casefile.ARENA_END - rng.randrange(0, size + 2)
        elif r < 0.83:
            at = ARENA - rng.randrange(1, size + 2)
        else:
            at = STACK + 0x400 + rng.randrange(0, 0x800)
            if rng.random() < 0.02:
                at = STACK + 0x1000 - rng.randrange(0, size + 2)
        if align and rng.random() < 0.97:
            at &= -size
        return at

    def emit(self, code, fixups=()):
        self.items.append(Item(code, fixups))
        while self.joins and self.joins[0][0] <= len(self.items):
            _, known = self.joins.pop(0)
            self.known = [a if a == b else None for a, b in zip(self.known, known)]

    def set_reg(self, reg, value):
        """Emits MOV reg, imm32."""
        self.emit(self.o32 + bytes((0xB8 + reg,)) + le(value, 4))
        self.known[reg] = value & M32

    def pointer_reg(self):
        """A register whose value is known, made so if need be; never ESP."""
        rng = self.rng
        if rng.random() < 0.85:
            candidates = [r for r in range(8) if self.known[r] is not None]
            if candidates:
                return rng.choice(candidates)
        reg = rng.choice((EAX, ECX, EDX, EBX, EBP, ESI, EDI))
        self.set_reg(reg, self.target(4))
        return reg

    def memory(self, size, align=False, no16=False):
        """A memory operand of size bytes (0: only its address matters)."""
        rng = self.rng
        target = self.target(size or 4, align)
        r = rng.random()
        if r < (0.4 if self.d16 else 0.08) and not no16:
            return self.memory16(size, align)
        prefix, segment = self.a32, None
        base_segments = self.case.seg[2:] != [0, 0]
        if base_segments and rng.random() < 0.5:
            segment = rng.choice([s for s, v in zip(("fs", "gs"), self.case.seg[2:]) if v])
        elif rng.random() < 0.05:
            segment = rng.choice(("es", "cs", "ss", "ds") + (("fs", "gs") if rng.random() < 0.05
                                                             and not self.settings.reference
                                                             else ()))
        if segment:
            prefix += SEG_PREFIX[segment]
        if rng.random() < 0.12:  # ESP-based: the target is near the stack pointer
            base = self.seg_base.get(segment or "ss", 0)
            if base:
                return self.absolute(prefix, target - base)
            displacement = rng.randrange(-64, 64)
            if rng.random() < 0.8:
                displacement &= -4
            if align:
                displacement &= -16
            index = rng.choice((4, 4, EAX, ECX, EDX, EBX, EBP, ESI, EDI))
            if index != 4 and self.known[index] is not None:
                scale = rng.randrange(4)
                displacement -= self.known[index] << scale
            else:
                index, scale = 4, rng.randrange(4)
            sib = bytes((scale << 6 | index << 3 | ESP,))
            if -128 <= displacement < 128 and rng.random() < 0.8:
                return Memory(prefix, 0x44, sib + le(displacement, 1), 0)
            return Memory(prefix, 0x84, sib + le(displacement, 4), 0)
        if r < 0.2:
            return self.absolute(prefix, target - self.seg_base.get(segment or "ds", 0))
        base = self.pointer_reg()
        default = "ss" if base == EBP else "ds"
        offset = (target - self.seg_base.get(segment or default, 0)) & M32
        rest = offset - self.known[base]
        if r < 0.55:  # no index
            if r < 0.3 and base != EBP:
                if rest:
                    self.set_reg(base, offset)
                return Memory(prefix, base, b"", target)
            if r < 0.47:
                displacement = rng.randrange(-128, 128)
                if not -128 <= rest < 128:
                    self.set_reg(base, offset - displacement)
                else:
                    displacement = rest
                return Memory(prefix, 0x40 | base, le(displacement, 1), target)
            return Memory(prefix, 0x80 | base, le(rest, 4), target)
        index = self.pointer_reg()
        if self.known[base] is None:
            return self.absolute(prefix, offset)
        scale = rng.randrange(4)
        if r < 0.63:  # index without base
            rest = offset - (self.known[index] << scale)
            if not segment:
                rest += self.seg_base.get(default, 0) - self.seg_base["ds"]
            return Memory(prefix, 4, bytes((scale << 6 | index << 3 | 5,)) + le(rest, 4), target)
        rest = offset - self.known[base] - (self.known[index] << scale)
        sib = bytes((scale << 6 | index << 3 | base,))
        if r < 0.7 and base != EBP:
            if base != index and not rest & M32 == 0:
                self.set_reg(base, offset - (self.known[index] << scale))
            elif rest & M32:
                return Memory(prefix, 0x84, sib + le(rest, 4), target)
            return Memory(prefix, 4, sib, target)
        if r < 0.85 and base != index:
            displacement = rng.randrange(-128, 128)
            self.set_reg(base, offset - displacement - (self.known[index] << scale))
            return Memory(prefix, 0x44, sib + le(displacement, 1), target)
        return Memory(prefix, 0x84, sib + le(rest, 4), target)

    @staticmethod
    def absolute(prefix, offset):
        return Memory(prefix, 5, le(offset, 4), offset)

    def memory16(self, size, align):
        """16-bit addressing: into the low page, or through FS/GS where these reach the arena."""
        rng = self.rng
        prefix = b"" if self.d16 else b"\x67"
        target = LOW + rng.randrange(0, 0x1000 - 64)
        if align:
            target &= -16
        elif rng.random() < 0.1 and size != 10:  # CPUs differ in how 80-bit operands wrap
            target = LOW + 0x1000 - rng.randrange(1, size + 2)
        default = "ds"
        segment = None
        usable = [s for s, v in zip(("fs", "gs"), self.case.seg[2:]) if v in (0x07, 0x0F, 0x17)]
        if usable and (rng.random() < 0.7 or not self.settings.low):
            segment = rng.choice(usable)
            prefix = rng.choice((prefix + SEG_PREFIX[segment], SEG_PREFIX[segment] + prefix))
            target = rng.randrange(0, 0x2000 - 64) & (-16 if align else -1)
        elif not self.settings.low:
            return self.memory(size, align, no16=True)
        rm = rng.randrange(8)
        used = ((EBX, ESI), (EBX, EDI), (EBP, ESI), (EBP, EDI), (ESI,), (EDI,), (EBP,), (EBX,))[rm]
        if segment is None and self.seg_base["ss" if EBP in used else default]:
            rm, used = 6, ()
            target -= self.seg_base["ds"]
        if rm == 6 and (not used or rng.random() < 0.3):
            return Memory(prefix, 6, le(target, 2), target)
        for reg in used:
            if self.known[reg] is None:
                self.set_reg(reg, rng.getrandbits(32))
        if not all(self.known[reg] is not None for reg in used):
            return Memory(prefix, 6, le(target, 2), target)
        rest = target - sum(self.known[reg] for reg in used)
        if rng.random() < 0.3 and rm != 6:
            self.set_reg(used[-1], (self.known[used[-1]] + rest) & 0xFFFF
                         | rng.getrandbits(16) << 16)
            return Memory(prefix, rm, b"", target)
        if rng.random() < 0.4:
            displacement = rng.randrange(-128, 128)
            self.set_reg(used[-1], (self.known[used[-1]] + rest - displacement) & 0xFFFF
                         | rng.getrandbits(16) << 16)
            return Memory(prefix, 0x40 | rm, le(displacement, 1), target)
        return Memory(prefix, 0x80 | rm, le(rest, 2), target)

    def imm(self, size):
        rng = self.rng
        r = rng.random()
        if r < 0.4:
            return le(rng.choice(VALUES), size)
        return le(rng.getrandbits(8 * size), size)

    def dest(self, wide):
        """A register number for a written operand; ESP only now and then."""
        reg = self.rng.randrange(8)
        if wide and reg == ESP and self.rng.random() < 0.9:
            reg = self.rng.choice((EAX, ECX, EDX, EBX, EBP, ESI, EDI))
        return reg

    def clobber(self, reg):
        self.known[reg] = None

    # -- a row of the table --

    def row(self, row):
        rng = self.rng
        if row.special == "maskmov" and self.case.seg[0] != USER_DS:
            return
        o16 = row.o16 and rng.random() < 0.25
        wide = 2 if o16 else 4
        prefix = b"\x66" if (row.o16 or row.name == "bswap") and o16 != self.d16 else b""
        opcode, tail, modrm, memory, reg = row.opcode, b"", None, None, 0
        written = []
        first, point = True, b""
        if row.special == "xlat":
            memory = self.implicit(EBX, EAX)
        elif row.special == "maskmov":  # whether it enters MMX mode before it faults is not defined
            self.known[EDI] = ARENA + rng.randrange(0, 0x1F00) - self.seg_base["ds"] & M32
            point = self.o32 + b"\xbf" + le(self.known[EDI], 4)
            prefix += self.a32
        for operand in row.operands:
            kind = operand[0]
            if kind == "E":
                letter = operand[1]
                size = {"b": 1, "w": 2, "d": 4, "v": wide, "B": 1, "W": 2}[letter]
                if row.bit and row.operands[1] == "Gv" and rng.random() < 0.5:
                    modrm, memory = self.bit_memory(row)
                    if memory:
                        reg = modrm
                        continue
                if rng.random() < 0.5:
                    memory = self.memory(size)
                else:
                    r = self.dest(size > 1) if first and row.written else rng.randrange(8)
                    modrm = 0xC0 | r
                    if first and row.written:
                        written.append(r & 3 if size == 1 else r)
            elif kind == "G":
                size = {"b": 1, "w": 2, "d": 4, "v": wide}[operand[1]]
                reg = self.dest(size > 1) if first and row.written else rng.randrange(8)
                if (first and row.written) or row.name in ("xchg", "xadd"):
                    if row.name in ("xchg", "xadd") and reg == ESP and size > 1:
                        reg = EDX
                    written.append(reg & 3 if size == 1 else reg)
            elif kind == "Z":
                r = self.dest(operand[1] != "b") if row.written else rng.randrange(8)
                opcode = opcode[:-1] + bytes((opcode[-1] + r,))
                if row.written:
                    written.append(r & 3 if operand[1] == "b" else r)
            elif kind == "M":
                size = wide if operand[1] == "v" else int(operand[1:].rstrip("a")) // 8
                memory = self.memory(size, operand.endswith("a"))
            elif kind in "VQ":
                reg = rng.randrange(8)
            elif kind in "WP":
                aligned = operand.endswith("a")
                size = int(operand[1:].rstrip("a")) // 8
                if rng.random() < 0.4:
                    memory = self.memory(size, aligned)
                else:
                    modrm = 0xC0 | rng.randrange(8)
            elif kind in "UR":
                modrm = 0xC0 | rng.randrange(8)
            elif kind == "I":
                if operand == "Ib":
                    value = self.imm(1)
                    if row.name == "aam" and rng.random() < 0.9:
                        value = b"\x0a" if rng.random() < 0.5 else bytes((rng.randrange(1, 256),))
                    tail += value
                else:
                    tail += self.imm(wide if operand == "Iz" else 2)
            elif kind == "O":
                target = self.target(1 if operand == "O8" else wide) - self.seg_base["ds"]
                tail += le(target, 4)
                prefix += self.a32
            elif kind == "S":
                reg = rng.randrange(6)
            first = False
        if row.digit is not None:
            reg = row.digit
        has_modrm = memory is not None or modrm is not None
        if row.special in ("xlat",):
            has_modrm = False
            prefix += memory.prefix
        code = b""
        if has_modrm:
            if memory is not None:
                prefix = memory.prefix + prefix if rng.random() < 0.5 else prefix + memory.prefix
                code = bytes((memory.modrm | reg << 3,)) + memory.tail
                # few split locks: where the host traps them, each costs 20 ms
                split = (memory.target & 63) > 56 and rng.random() < 0.97
                if row.lock and not split and rng.random() < 0.35:
                    prefix += b"\xf0"
            else:
                code = bytes((modrm | (reg & 7) << 3,))
                if row.lock and rng.random() < 0.004:
                    prefix += b"\xf0"  # #UD
        code = point + prefix + row.prefix + opcode + code + tail
        for r in written:
            self.clobber(r)
        for r in row.clobbers:
            self.clobber(r)
        undefined = row.masked if not self.settings.reference else row.undefined
        if undefined:
            mask = 0
            for letter in undefined:
                mask |= FLAG_BITS[letter]
            code += (self.o32 + b"\x9c" + self.o32 + self.a32 + b"\x81\x24\x24" + le(~mask, 4)
                     + self.o32 + b"\x9d")  # PUSHF; AND [ESP], ~mask; POPF
        self.emit(code)

    def bit_memory(self, row):
        """BT m, r with a bit index outside the operand: base register + signed index."""
        rng = self.rng
        base, index = rng.sample((EAX, ECX, EDX, EBX, ESI, EDI), 2)
        self.set_reg(index, rng.randrange(-8192, 8192))
        self.set_reg(base, self.target(4) - self.seg_base["ds"])
        return index, Memory(self.a32, base, b"", 0)

    def implicit(self, reg, index):
        """Makes reg point into the regions for an instruction that addresses through it; index is
        a register whose low byte is added."""
        if self.known[reg] is None or not self.mapped(self.known[reg]) or self.seg_base["ds"]:
            if self.rng.random() < 0.95:
                self.set_reg(reg, self.target(4) - self.seg_base["ds"] - (128 if index is not None
                                                                         else 0))
        segment = ""
        if self.rng.random() < 0.1:
            segment = self.rng.choice(("es", "ss", "ds", "ds" if self.settings.reference else "fs"))
        return Memory(self.a32 + SEG_PREFIX.get(segment, b""), 0, b"", 0)

    @staticmethod
    def mapped(address):
        return ARENA + 16 <= address < ARENA + 0x2000 - 256

    # -- composites --

    def string(self):
        rng = self.rng
        op = rng.choice((0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF))
        size = 1 if not op & 1 else (2 if rng.random() < 0.25 else 4)
        down = rng.random() < 0.3
        self.emit(b"\xfd" if down else b"\xfc")
        a16 = self.settings.low and rng.random() < 0.1 and not (self.seg_base["ds"] or
                                                                self.seg_base["es"])
        count = rng.choice((0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 33, 64, 100))
        prefix = b""
        segment = "ds"
        if rng.random() < 0.12:
            segment = rng.choice(("es", "cs", "ss") + (() if self.settings.reference
                                                       else ("fs", "gs")))
            prefix += SEG_PREFIX[segment]
        rep = rng.random()
        if rep < 0.6:
            prefix += rng.choice((b"\xf3", b"\xf2"))
            value = count if not a16 else count | rng.getrandbits(16) << 16
            self.set_reg(ECX, value)
        uses_si = op in (0xA4, 0xA5, 0xA6, 0xA7, 0xAC, 0xAD)
        uses_di = op not in (0xAC, 0xAD)
        overlap = rng.random() < 0.2
        target = self.target(4)
        if rng.random() < 0.15:  # run into a page boundary
            edge = rng.choice((ARENA + 0x1000, RO, casefile.ARENA_END, ARENA))
            target = edge + rng.randrange(-40, 40)
        if a16:
            target = LOW + rng.randrange(0x100, 0xE00)
            if rng.random() < 0.2:
                target = LOW + 0x1000 - rng.randrange(1, 32)
        if a16 != self.d16:
            prefix = b"\x67" + prefix
        high, limit = (rng.getrandbits(16) << 16, 0xFFFF) if a16 else (0, M32)
        if uses_si and uses_di:
            high = 0  # see a16 MOVS in the docstring of run
        if uses_si:
            self.set_reg(ESI, (target - self.seg_base.get(segment, 0) & limit) | high)
        if uses_di:
            if overlap and uses_si:
                di = target + rng.choice((-8, -4, -3, -1, 0, 1, 2, 4, 5, 8, 16))
            elif a16:
                di = LOW + rng.randrange(0x100, 0xE00)
            else:
                di = self.target(4)
                if rng.random() < 0.1:
                    di = rng.choice((RO, casefile.ARENA_END, ARENA)) + rng.randrange(-40, 40)
            self.set_reg(EDI, (di - self.seg_base["es"] & limit) | high)
        if op in (0xAE, 0xAF) and rng.random() < 0.5:
            self.set_reg(EAX, rng.choice((0, M32, 1)))
        if size > 1 and (size == 2) != self.d16:
            prefix = b"\x66" + prefix
        self.emit(prefix + bytes((op,)))
        for reg in (ECX, ESI, EDI):
            self.clobber(reg)
        if op in (0xAC, 0xAD):
            self.clobber(EAX)
        if rng.random() < 0.7:
            self.emit(b"\xfc")

    def branch(self):
        """A forward branch over 0 to 4 of the following instructions."""
        rng = self.rng
        skip = rng.randrange(0, 5)
        near = 2 if self.d16 else 4
        r = rng.random()
        if r < 0.5:
            self.jump(bytes((0x70 + rng.randrange(16),)), 1, skip)
        elif r < 0.75:
            self.jump(bytes((0x0F, 0x80 + rng.randrange(16))), near, skip)
        elif r < 0.82:
            self.jump(b"\xeb", 1, skip)
        elif r < 0.86 or (self.d16 and r >= 0.95):
            self.jump(b"\xe9", near, skip)
        elif r < 0.95:
            if rng.random() < 0.4:
                self.set_reg(ECX, rng.choice((0, 1, 2, 0x10000, 0x10001)))
            prefix = b"\x67" if rng.random() < 0.3 else b""
            op = 0xE0 + rng.randrange(4)
            self.jump(prefix + bytes((op,)), 1, skip)
            if op != 0xE3:
                self.clobber(ECX)
        else:
            self.indirect(skip)

    def jump(self, opcode, size, skip):
        fixup = (len(opcode), size, True, skip, 0)
        known = list(self.known)
        self.emit(opcode + bytes(size), (fixup,))
        self.join(skip, known)

    def join(self, skip, known):
        self.joins.append((len(self.items) + skip, known))
        self.joins.sort(key=lambda j: j[0])

    def indirect(self, skip):
        """JMP through a register, memory, or PUSH + RET."""
        rng = self.rng
        r = rng.random()
        reg = rng.choice((EAX, ECX, EDX, EBX, EBP, ESI, EDI))
        label = (1, 4, False, skip, 0)
        if r < 0.4:
            code = bytes((0xB8 + reg, 0, 0, 0, 0, 0xFF, 0xE0 | reg))
            self.clobber(reg)
        elif r < 0.6:
            code = b"\x68\0\0\0\0\xc3"
        elif r < 0.7:
            code = b"\x68\0\0\0\0\xc2" + le(4 * rng.randrange(0, 8), 2)
        elif r < 0.85:
            code = b"\x68\0\0\0\0\xff\x24\x24"
        else:  # far return: CS below EIP
            code = b"\x0e\x68\0\0\0\0\xcb"
            label = (2, 4, False, skip, 0)
        known = list(self.known)
        self.emit(code, (label,))
        self.join(skip, known)

    def call(self):
        """CALL over a few instructions; now and then the called part returns here."""
        rng = self.rng
        near = 2 if self.d16 else 4
        r = rng.random() * (0.6 if self.d16 else 1)
        if r < 0.35:  # call a function that stands here: call f; jmp end; f: ...; ret; end:
            body = rng.randrange(1, 4)
            call = len(self.items)
            self.emit(b"\xe8" + bytes(near), ((1, near, True, 1, 0),))
            jump = len(self.items)
            self.emit(b"\xeb\0", ((1, 1, True, 0, 0),))
            for _ in range(body):
                self.pools["leaf"].pick(rng)(self)
            self.emit(rng.choice((b"\xc3", b"\xc2\x00\x00", b"\xf3\xc3")))
            self.items[call].fixups = ((1, near, True, 1, 0),)
            self.items[jump].fixups = ((1, 1, True, len(self.items) - jump - 1, 0),)
            self.known = [None] * 8
        elif r < 0.6:
            self.jump(b"\xe8", near, rng.randrange(0, 4))
        elif r < 0.75:  # CALL [ESP-4] with the target pushed and popped
            reg = rng.choice((EAX, ECX, EDX, EBX, EBP, ESI, EDI))
            skip = rng.randrange(0, 3)
            known = list(self.known)
            known[reg] = None
            self.clobber(reg)
            self.emit(bytes((0xB8 + reg, 0, 0, 0, 0, 0xFF, 0xD0 | reg)), ((1, 4, False, skip, 0),))
            self.join(skip, known)
        elif r < 0.9:
            skip = rng.randrange(0, 3)
            known = list(self.known)
            self.emit(b"\x68\0\0\0\0\xff\x14\x24", ((1, 4, False, skip, 0),))
            self.join(skip, known)
        else:  # 16-bit operand size: EIP is cut to 16 bits, a wild address
            self.emit(b"\x66\xe8\0\0")

    def loop(self):
        """A backward LOOP with a small count around instructions that leave ECX alone. One item, so
        that no branch reaches the loop with another count."""
        rng = self.rng
        body = b""
        for _ in range(rng.randrange(1, 4)):
            r = rng.choice((EAX, EDX, EBX, ESI, EDI, EBP))
            s = rng.randrange(8)
            op = rng.choice((0x01, 0x11, 0x19, 0x29, 0x31, 0x09, 0x21))
            body += bytes((op, 0xC0 | s << 3 | r))
            self.clobber(r)
        op = rng.choice((b"\xe2", b"\xe2", b"\x49\x75", b"\x83\xe9\x01\x75", b"\x49\x0f\x85"))
        size = (2 if self.d16 else 4) if op[-2:] == b"\x0f\x85" else 1
        count = rng.randrange(1, 6) if rng.random() < 0.95 else rng.randrange(100, 5000)
        self.emit(self.o32 + b"\xb9" + le(count, 4) + body + op + le(-len(body) - len(op) - size, size))
        self.clobber(ECX)

    def divide(self):
        """DIV/IDIV with operands that mostly do not overflow."""
        rng = self.rng
        digit = rng.choice((6, 7))
        size = rng.choice((1, 2, 4, 4))
        r = rng.random()
        if r < 0.5:
            self.set_reg(EAX, self.value() & 0xFFFF if size == 1 and r < 0.2 else self.value())
            if size > 1:
                if digit == 7 and rng.random() < 0.7:
                    self.emit(b"\x99" if (size == 2) == self.d16 else b"\x66\x99")
                else:
                    self.set_reg(EDX, rng.choice((0, 0, 0, 1, 5, M32)))
        elif r < 0.8:
            self.set_reg(EDX, 0)
        prefix = b"\x66" if size > 1 and (size == 2) != self.d16 else b""
        opcode = 0xF6 if size == 1 else 0xF7
        if rng.random() < 0.4:
            m = self.memory(size)
            code = m.prefix + prefix + bytes((opcode, m.modrm | digit << 3)) + m.tail
        else:
            code = prefix + bytes((opcode, 0xC0 | digit << 3 | rng.randrange(8)))
        if self.settings.reference:
            code += b"\x39\xc0"
        self.emit(code)
        self.clobber(EAX)
        self.clobber(EDX)

    def flags(self):
        """POPF of a chosen image; PUSHF beside it."""
        rng = self.rng
        image = rng.getrandbits(32) & (0x00203ED5 | 0x00033202) & ~0x100
        if rng.random() < 0.3:
            image |= 0x4000
        if rng.random() < 0.5:
            image &= 0xFFF
        code = self.o32 + b"\x68" + le(image, 4)
        if self.d16 or rng.random() < 0.85:
            code += self.o32 + b"\x9d"
        else:
            code += b"\x66\x9d\x59"
            self.clobber(ECX)
        self.emit(code)

    def stack16(self):
        """From here on the stack segment has 16-bit addresses (SS.B clear)."""
        rng = self.rng
        esp = 0x400 + 2 * rng.randrange(0, 0x400)
        r = rng.random()
        if r < 0.1:
            esp = 2 * rng.randrange(0, 5)
        elif r < 0.2:
            esp = 0x1000 - rng.randrange(0, 10)
        if rng.random() < 0.4:
            esp |= rng.getrandbits(16) << 16
        self.emit(b"\x68\x4f\0\0\0\x68" + le(esp, 4) + b"\x0f\xb2\x24\x24")
        self.seg_base["ss"] = STACK

    def code16(self):
        """From here on the code segment has 16-bit operands and addresses (CS.D clear)."""
        self.emit(b"\xea\0\0\0\0\x47\0", ((1, 4, False, 0, -casefile.CODE_BASE),))
        self.d16, self.o32, self.a32 = True, b"\x66", b"\x67"
        self.seg_base["cs"] = casefile.CODE_BASE

    def enter(self):
        rng = self.rng
        size = 4 * rng.randrange(0, 16)
        level = 0 if rng.random() < 0.6 else rng.randrange(0, 4)
        if level and rng.random() < 0.9:
            self.set_reg(EBP, STACK + 0x700 + 4 * rng.randrange(0, 32))
        prefix = b"\x66" if rng.random() < 0.1 else b""
        self.emit(prefix + b"\xc8" + le(size, 2) + bytes((level,)))
        self.clobber(EBP)
        if rng.random() < 0.6 and not prefix:
            self.pools["leaf"].pick(rng)(self)
            self.emit(b"\xc9")
            self.clobber(EBP)

    def leave(self):
        self.set_reg(EBP, STACK + 0x700 + 4 * self.rng.randrange(0, 64))
        self.emit(b"\xc9")
        self.clobber(EBP)

    def stack_pointer(self):
        """ESP as an operand: adjusted, read, pushed, popped."""
        rng = self.rng
        esp = STACK + 0x800 + 4 * rng.randrange(-32, 32)
        choices = (b"\x83\xec" + bytes((4 * rng.randrange(0, 16),)),
                   b"\x83\xc4" + bytes((4 * rng.randrange(0, 16),)),
                   b"\x8d\x64\x24" + bytes((4 * rng.randrange(0, 16),)), b"\x54", b"\x5c",
                   b"\x68" + le(esp, 4) + b"\x5c", b"\xbc" + le(esp, 4), b"\x89\xe0",
                   b"\x8b\x04\x24",
                   b"\xff\x34\x24", b"\x8f\x04\x24", b"\x8f\x44\x24\x08", b"\xff\x74\x24\x04",
                   b"\x87\x04\x24", b"\x66\x54", b"\x44\x4c",
                   b"\x0f\x44\xe0", b"\x0f\xb1\xe4", b"\xff\x34\xe4", b"\x89\xe5", b"\x94\x94",
                   b"\x66\x44\x66\x4c", b"\x8d\x24\x24", b"\x8c\x1c\x24")
        self.emit(rng.choice(choices))
        self.clobber(EAX)
        self.clobber(EBP)

    def trap(self):
        """Instructions that end a case."""
        rng = self.rng
        simple = (b"\xcc", b"\xcd\x03", b"\xcd\x04", b"\xcd\x05", b"\xcd\x20", b"\xcd\xff", b"\xce",
                  b"\xce", b"\xce", b"\x0f\x0b", b"\xfa", b"\xfb", b"\xf4",
                  b"\xec", b"\xee", b"\xe4\x60", b"\x6c", b"\x6e", b"\x0f\x20\xc0",
                  b"\x0f\x22\xd8", b"\x0f\x21\xc0", b"\x0f\x06", b"\x0f\x08",
                  b"\x0f\x09", b"\x0f\x30", b"\x0f\x32", b"\x0f\x01\x38", b"\x0f\x01\x10",
                  b"\x0f\x00\xd8", b"\x0f\x00\xd0", b"\x0f\xb9\xc0", b"\xf0\x90", b"\xf0\x01\xc0",
                  b"\xf0\x8b\x03", b"\xf0\x39\x03", b"\x8d\xc0", b"\xc6\xc8\x00", b"\xfe\xd0",
                  b"\xff\xf8", b"\xff\xd8", b"\x8e\xc8", b"\x0f\xc7\xc8", b"\x0f\x04",
                  b"\x0f\x0a", b"\x0f\x24\xc0",
                  b"\x0f\x26\xc0", b"\x8c\xf8", b"\x8e\xf8", b"\x0f\x36", b"\x0f\x01\xf0",
                  b"\x0f\x38\xff\xc0", b"\x0f\xa6\xc0",
                  b"\xf0\xff\x33", b"\xf0\x0f\xa3\x03", b"\xf0\xa4")
        self.emit(rng.choice(simple))

    def bound(self):
        rng = self.rng
        reg = rng.choice((EAX, ECX, EDX, EBX, ESI, EDI))
        low, high = sorted((rng.randrange(-100, 100), rng.randrange(-100, 200)))
        at = ARENA + 8 * rng.randrange(0, 0x300)
        if rng.random() < 0.8:
            self.case.patches += [(at, low & M32), (at + 4, high & M32)]
        self.set_reg(reg, rng.randrange(low - 3, high + 4))
        prefix = b"\x66" if rng.random() < 0.2 else b""
        self.emit(prefix + bytes((0x62, 5 | reg << 3)) + le(at - self.seg_base["ds"], 4))

    def state_store(self):
        """FNSTENV, FNSAVE, FXSAVE, with what holds instruction pointers zeroed, and reloads."""
        rng = self.rng
        at = ARENA + 64 * rng.randrange(0, 64)
        if rng.random() < 0.06:
            at += rng.choice((4, 8, 1))
        reg = rng.choice((EBX, ESI, EDI, EDX))
        # In one item with its address: CPUs differ in the CR2 of a large operand that faults.
        point = bytes((0xB8 + reg,)) + le(at - self.seg_base["ds"], 4)
        self.known[reg] = at - self.seg_base["ds"] & M32
        kind = rng.randrange(6)
        short = rng.random() < 0.2

        def zero(displacement):
            return bytes((0xC7, 0x80 | reg)) + le(displacement, 4) + bytes(4)

        if kind < 4:
            load = {0: (0xD9, 6, 0xD9, 4), 1: (0xD9, 6, 0xD9, 4), 2: (0xDD, 6, 0xDD, 4),
                    3: (0xDD, 6, 0xDD, 4)}[kind]
            prefix = b"\x66" if short else b""
            code = point + prefix + bytes((load[0], load[1] << 3 | reg))
            if short:
                code += zero(6) + zero(10)
            else:
                code += zero(12) + zero(16) + zero(20) + zero(24)
            self.emit(code)
            self.stored = len(self.items)
            if rng.random() < 0.6:
                self.pools["leaf"].pick(rng)(self)
                if self.known[reg] == at - self.seg_base["ds"] & M32:
                    self.emit(point + prefix + bytes((load[2], load[3] << 3 | reg)))
        else:
            code = point + bytes((0x0F, 0xAE, reg)) + zero(8) + zero(12) + zero(16) + zero(20)
            code += bytes((0x66, 0xC7, 0x80 | reg)) + le(6, 4) + bytes(2)
            code += zero(28)
            self.emit(code)
            self.stored = len(self.items)
            if rng.random() < 0.7:
                for _ in range(rng.randrange(3)):
                    self.pools["leaf"].pick(rng)(self)
                if self.known[reg] == at - self.seg_base["ds"] & M32:
                    self.emit(point + bytes((0x0F, 0xAE, 0x08 | reg)))

    def self_modify(self):
        """Writes into an instruction that stands a little later."""
        rng = self.rng
        skip = rng.randrange(0, 4)
        value = rng.getrandbits(32)
        store = b"\xc7\x05\0\0\0\0" + le(value, 4) if rng.random() < 0.5 else (
            b"\xc6\x05\0\0\0\0" + le(value, 1))
        reg = rng.choice((EAX, ECX, EDX, EBX))
        self.emit(store, ((2, 4, False, skip, 1 - self.seg_base["ds"]),))
        for _ in range(skip):
            self.single()
        if len(self.items):
            self.emit(bytes((0xB8 + reg,)) + le(rng.getrandbits(32), 4))
        self.clobber(reg)

    def prefixes(self):
        """A row under prefixes that mean nothing, come twice, or make it too long."""
        rng = self.rng
        self.pools["leaf"].pick(rng)(self)
        item = self.items[-1]
        # 66 makes another instruction of CLFLUSH, F3 of BSF and BSR
        if item.fixups or re.search(rb"\x0f[\xae\xbc\xbd]", item.code):
            return
        r = rng.random()
        if r < 0.75:  # 2e on Jcc and the like is a hint; a later override wins
            extra = bytes(rng.choice((0x3E, 0x36, 0x26, 0x66, 0x3E)) for _ in
                          range(rng.randrange(1, 4)))
            if item.code[0] in (0x66, 0x67):
                extra = extra.replace(b"\x66", b"\x3e")
        elif r < 0.9:
            extra = rng.choice((b"\xf2", b"\xf3", b"\x66\x66", b"\x67", b"\xf3\xf2"))
        else:
            extra = b"\x3e" * rng.randrange(8, 15)
        item.code = extra + item.code
        self.known = [None] * 8

    def indirect_memory(self):
        """JMP and CALL through memory in all addressing modes."""
        rng = self.rng
        memory = self.memory(4)
        skip = rng.randrange(0, 4)
        known = list(self.known)
        if not ARENA <= memory.target < RO and not STACK <= memory.target < STACK + 0xF00:
            return
        store = b"\xc7\x05" + le(memory.target - self.seg_base["ds"], 4) + bytes(4)
        digit = rng.choice((2, 4))
        self.emit(store + memory.prefix + bytes((0xFF, memory.modrm | digit << 3)) + memory.tail,
                  ((6, 4, False, skip, 0),))
        self.join(skip, known)

    def single_step(self):
        """TF set by POPF: #DB behind the instruction that follows."""
        rng = self.rng
        image = 0x302 | rng.getrandbits(12) & 0x8D5
        follow = rng.choice((b"\x90", b"\x40", b"\x9c", b"\xeb\x00", b"\x74\x00", b"\xcc", b"\xf4",
                             b"\x50", b"\x58", b"\x0f\x0b", b"\xf3\xa4", b"\xa4", b"\x01\x04\x24",
                             b"\x68\x02\x02\x00\x00\x9d", b"\x8e\xd0", b"\xf7\xf1",
                             b"\x0f\x10\x04\x24", b"\xd9\xe8", b"\xe8\x00\x00\x00\x00", b"\xc3",
                             b"\x37", b"\xc8\x08\x00\x00", b"\xf0\x01\x04\x24", b"\x8e\xe1"))
        self.set_reg(ECX, rng.randrange(0, 4))
        self.emit(b"\xb8\x2b\0\0\0\x68" + le(image, 4) + b"\x9d" + follow + b"\x90\x40\x48")
        self.known = [None] * 8

    def stack_segment(self):
        """SS: valid, null and bad selectors; back to flat before the next item."""
        rng = self.rng
        k = rng.choice((0, 4, 5, 5, 0, *self.own(code=False) * 4))
        base = self.ldt(k)[0]
        selector = 8 * k + 7
        esp = (STACK + 0x700 + 4 * rng.randrange(0, 64))
        if k == 0 or (k in OWN and rng.random() < 0.5):
            esp = ARENA + 0x100 + 4 * rng.randrange(0, 512)
        r = rng.random()
        if r < 0.15:
            selector = rng.choice(SELECTORS)
            self.emit(b"\x66\x68" + le(selector, 2) + b"\x66\x17")
            return
        if r < 0.25:
            self.emit(b"\xb8" + le(rng.choice(SELECTORS), 4) + b"\x8e\xd0")
            self.clobber(EAX)
            return
        body = b"".join(rng.choice((b"\x50", b"\x58", b"\x9c", b"\x8b\x44\x24\x04",
                                    b"\x89\x44\x24\xfc",
                                    b"\x60", b"\xc8\x10\x00\x00", b"\xff\x34\x24", b"\x8f\x04\x24",
                                    b"\x8b\x45\x00", b"\x01\x54\x95\x04", b"\xe8\x00\x00\x00\x00",
                                    b"\x6a\x05", b"\x66\x50", b"\xdd\x1c\x24",
                                    b"\xf3\x0f\x7f\x04\x24"))
                        for _ in range(rng.randrange(1, 5)))
        ebp = esp + 4 * rng.randrange(-8, 8)
        if rng.random() < 0.1:
            ebp = rng.choice((casefile.ARENA_END, STACK + 0x1000)) - 2
        load = (b"\xbd" + le(ebp - base, 4) + b"\x68" + le(selector, 4) + b"\x68" + le(esp - base, 4)
                + b"\x0f\xb2\x24\x24")
        self.emit(load + body + b"\xb8\x2b\0\0\0\x8e\xd0\xbc" + le(STACK + 0x800, 4))
        self.known = [None] * 8

    def single(self):
        """Exactly one item."""
        rng = self.rng
        reg = rng.choice((EAX, ECX, EDX, EBX))
        self.emit(bytes((rng.choice((0x01, 0x29, 0x31, 0x85)), 0xC0 | rng.randrange(8) << 3 | reg)))
        self.clobber(reg)

    def segment(self):
        """Segment registers: loads of valid, null and bad selectors, far pointers, pushes."""
        rng = self.rng
        name = rng.choice(("es", "fs", "gs", "ds"))
        number = {"es": 0, "ds": 3, "fs": 4, "gs": 5}[name]
        good = [0x2B, 0x2B, 0x07, 0x0F, 0x17, 0x1F, 0x27, 0x2F]
        good += [8 * k + 7 for k in self.own(code=False)] * 4
        selector = rng.choice(good)
        r = rng.random()
        if r < 0.1:
            selector = rng.choice(SELECTORS)
        elif name == "ds" and r < 0.7:
            selector = 0x2B
        r = rng.random()
        if r < 0.4:
            reg = rng.choice((EAX, ECX, EDX, EBX))
            self.emit(bytes((0xB8 + reg,)) + le(selector | rng.getrandbits(16) << 16, 4)
                      + bytes((0x8E, 0xC0 | number << 3 | reg)))
            self.clobber(reg)
        elif r < 0.7:
            pop = {"es": b"\x07", "ds": b"\x1f", "fs": b"\x0f\xa1", "gs": b"\x0f\xa9"}[name]
            if rng.random() < 0.15:
                self.emit(b"\x66\x68" + le(selector, 2) + b"\x66" + pop)
            else:
                self.emit(b"\x68" + le(selector | rng.getrandbits(16) << 16, 4) + pop)
        elif r < 0.9:
            load = {"es": b"\xc4", "ds": b"\xc5", "fs": b"\x0f\xb4", "gs": b"\x0f\xb5"}[name]
            reg = rng.choice((EAX, ECX, EDX, EBX, EBP, ESI, EDI))
            value = self.target(4)
            self.emit(b"\x68" + le(selector, 4) + b"\x68" + le(value, 4) + load
                      + bytes((4 | reg << 3, 0x24)) + b"\x83\xc4\x08")
            self.clobber(reg)
        else:
            push = rng.choice((b"\x06", b"\x0e", b"\x16", b"\x1e", b"\x0f\xa0", b"\x0f\xa8"))
            self.emit((b"\x66" if rng.random() < 0.2 else b"") + push)
            return
        if selector in good:
            self.seg_base[name] = self.ldt(selector >> 3)[0] if selector & 4 else 0
            if name in ("fs", "gs"):
                self.case.seg[2:] = [v or 0x2F for v in self.case.seg[2:]]
        if rng.random() < 0.15:
            loads = selector in good and (selector == USER_DS or self.ldt(selector >> 3)[2] & 0x80)
            self.case.seg[rng.randrange(4)] = selector if loads else USER_DS

    def use_own(self):
        """A segment of the case's own, in CS, SS or another register."""
        steps = [self.segment, self.verify] + [self.far_own] * 2 * bool(self.own(code=True))
        steps += [self.stack_segment] * 2 * bool(self.own(code=False))
        self.rng.choice(steps)()

    def far_own(self):
        """Into a code segment of the case's own and back to the flat one: limit checks of branches,
        calls, fetches and data."""
        rng = self.rng
        k = rng.choice(self.own(code=True))
        base, _, _, flags = self.ldt(k)
        wide = flags & 2
        o32 = b"" if wide else b"\x66"
        self.emit(b"\xea\0\0\0\0" + le(8 * k + 7, 2), ((1, 4, False, 0, -base),))
        simple = [b"\x40", b"\x01\xd8", b"\x74\x00", b"\x75\x01\x90", b"\xeb\x00", b"\x50\x58",
                  o32 + b"\x0e" + o32 + b"\x1f", b"\xe2\x00", b"\xe3\x00", b"\xf3\xa4"]
        if wide:
            simple += [b"\xe8\x00\x00\x00\x00\x58", b"\x68\0\0\0\0\xc3", b"\x2e\x8b\x06",
                       b"\x2e\x89\x07", b"\x0f\x84\0\0\0\0", b"\xb8\0\0\0\0\xff\xe0"]
        else:
            simple += [b"\xe8\x00\x00\x58", b"\x2e\x8b\x07", b"\x0f\x84\0\0", b"\x2e\x67\x66\x8b\x06"]
        for _ in range(rng.randrange(1, 5)):
            code = rng.choice(simple)
            fixups = ((1, 4, False, 0, -base),) if code[0] in (0x68, 0xB8) and wide else ()
            self.emit(code, fixups)
        if wide:
            self.emit(b"\xea\0\0\0\0\x23\0", ((1, 4, False, 0, 0),))
        else:
            self.emit(b"\x66\xea\0\0\0\0\x23\0", ((2, 4, False, 0, 0),))
        self.known = [None] * 8

    def verify(self):
        """LAR, LSL, VERR, VERW and ARPL of selectors that mean the same in both worlds."""
        rng = self.rng
        selector = rng.choice(SELECTORS)
        reg, other = rng.sample((EAX, ECX, EDX, EBX, ESI, EDI), 2)
        opcode, digit = rng.choice(((b"\x0f\x02", other), (b"\x0f\x03", other), (b"\x0f\x00", 4),
                                    (b"\x0f\x00", 5), (b"\x63", other)))
        prefix = b"\x66" if rng.random() < 0.2 else b""
        if rng.random() < 0.6:
            self.set_reg(reg, selector | rng.getrandbits(16) << 16)
            self.emit(prefix + opcode + bytes((0xC0 | digit << 3 | reg,)))
        else:
            self.emit(b"\x68" + le(selector, 4) + prefix + opcode + bytes((4 | digit << 3, 0x24))
                      + b"\x83\xc4\x04")
        self.clobber(reg)
        self.clobber(other)

    def far(self):
        """Far transfers to the flat code segments."""
        rng = self.rng
        selector = rng.choice((0x23, 0x23, 0x37, 0x37, 0x23, 0x2B, 0x3F, 0x08, 0))
        skip = rng.randrange(0, 3)
        r = rng.random()
        known = list(self.known)
        if self.own(code=True) and r < 0.7:
            self.far_own()
        elif r < 0.3:
            self.emit(b"\xea\0\0\0\0" + le(selector, 2), ((1, 4, False, skip, 0),))
        elif r < 0.5:
            self.emit(b"\x9a\0\0\0\0" + le(selector, 2), ((1, 4, False, skip, 0),))
        elif r < 0.75:
            self.emit(b"\x68" + le(selector, 4) + b"\x68\0\0\0\0"
                      + rng.choice((b"\xcb", b"\xca\x08\x00", b"\xff\x2c\x24", b"\xff\x1c\x24")),
                      ((6, 4, False, skip, 0),))
        else:
            # without NT, which in long mode is #GP
            self.emit(b"\x68\x02\x02\0\0\x9d\x9c\x68" + le(selector, 4) + b"\x68\0\0\0\0\xcf",
                      ((13, 4, False, skip, 0),))
        self.join(skip, known)


USER_DS = casefile.USER_DS


def make_pools(settings):
    table = [r for r in rows.table()
             if not (settings.reference and (r.skipref or r.group in ("x87", "mmx")))]
    composites = [("string", 14), ("branch", 22), ("call", 8), ("loop", 3), ("divide", 6),
                  ("flags", 4), ("enter", 2), ("leave", 2), ("stack_pointer", 6), ("trap", 0.8),
                  ("bound", 1.5), ("self_modify", 1), ("prefixes", 3), ("indirect_memory", 3)]
    if not settings.reference:
        composites += [("state_store", 2), ("segment", 2), ("far", 1), ("verify", 1),
                       ("single_step", 0.7), ("stack_segment", 1)]
    if settings.without:
        known = re.compile(settings.without)
        table = [r for r in table if not known.search(r.name)]
        composites = [(n, w) for n, w in composites if not known.search(n)]
    if settings.only:
        wanted = re.compile(settings.only)
        table = [r for r in table if wanted.search(r.name) or wanted.search(r.group)]
        composites = [(n, w) for n, w in composites if wanted.search(n)]

    def row_step(row):
        return lambda builder: builder.row(row)

    def rows_of(group):
        return [(r.weight, row_step(r)) for r in table if r.group == group]

    steps = {n: (lambda name: lambda b: getattr(b, name)())(n) for n, _ in composites}
    pools = {}
    integer, others = rows_of("integer"), [(w, steps[n]) for n, w in composites]
    scale = {group: sum(w for w, _ in rows_of(group)) or 1 for group in ("integer", "x87", "mmx",
                                                                        "sse")}

    def part(group, share):
        return [(w * share / scale[group], step) for w, step in rows_of(group)]

    total = sum(w for w, _ in others) or 1
    composite = [(w / total, step) for w, step in others]
    pools["mixed"] = (part("integer", 5) + part("x87", 1) + part("mmx", 1) + part("sse", 2)
                      + [(w * 3, s) for w, s in composite])
    pools["integer"] = part("integer", 6) + [(w * 3, s) for w, s in composite]
    pools["x87"] = part("integer", 1) + part("x87", 8) + [(w, s) for w, s in composite]
    pools["vector"] = (part("integer", 1) + part("mmx", 3) + part("sse", 6)
                       + [(w, s) for w, s in composite])
    neutral = ("string", "branch", "call", "loop", "divide", "flags", "trap")
    pools["code16"] = (part("integer", 4) + part("x87", 0.5) + part("sse", 0.5)
                       + [(w * 2 / total, steps[n]) for n, w in composites if n in neutral])
    pools = {name: Pool(entries) for name, entries in pools.items() if entries}
    leaf = integer or part("x87", 1) or part("sse", 1) or part("mmx", 1)
    pools["leaf"] = Pool(leaf) if leaf else pools["mixed"]
    return pools


def cases(seed, count, settings):
    """count cases; the same for the same arguments."""
    rng = random.Random(seed)
    pools = make_pools(settings)
    profiles = [p for p in ("integer", "integer", "integer", "mixed", "x87", "vector") if p in pools
                and not (settings.reference and p == "x87")]
    result = []
    first = casefile.CODE_BASE + 64  # wild jumps to offset 0 of a segment find HLT
    address = first
    for index in range(count):
        builder = Builder(rng, settings, pools)
        builder.start()
        pool = pools[rng.choice(profiles)]
        if not settings.reference:
            if rng.random() < 0.05:
                builder.stack16()
            if rng.random() < 0.3 and address < casefile.CODE_BASE + 0xF000:
                builder.code16()
                pool = pools.get("code16", pool)
        own = not builder.d16 and any(entry[2] for entry in builder.case.ldt)
        for _ in range(rng.randrange(1, 17)):
            if own and rng.random() < 0.1:
                builder.use_own()
            pool.pick(rng)(builder)
        case = builder.case
        case.name = f"seed {seed} case {index}"
        case.address = address  # code() finds another one for a case at the region's end
        if rng.random() < 0.03 and not builder.d16 and builder.stored != len(builder.items):
            # into the last item only: the one before may have stored FPU state
            last = len(builder.items[-1].code) if builder.items else 0
            case.cut = len(casefile.TERMINATOR) + min(rng.choice((0, 0, 1, 1, 2, 3)), last)
        length = len(case.code())
        address += length + rng.randrange(0, 32)
        if address > casefile.CODE_BASE + casefile.CODE_SIZE - 2048:
            address = first + rng.randrange(0, 64)
        result.append(case)
    return result
