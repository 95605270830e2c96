"""Inputs for AFL++ to begin with. What an input is: ../input.c.

Every row of the differential test's instruction table with a register and a memory operand, and
what a system does with the processor, in lines of 16 bytes that end with INT F0. The dictionary has
the opcodes, and addresses at which something is."""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "insn"))

import rows  # noqa: E402

LINE = 16
LINES = 20  # of an input
END = bytes.fromhex("cdf0")
FREE, CODE, ODD_PAGES = 0x00B00000, 0x00900000, 0x00A00000

# Name, and bytes 0 and 1 of an input.
MODES = (
    ("real mode", 0, 0),
    ("real mode with 4 GiB limits", 1, 0),
    ("ring 0", 2, 0),
    ("ring 0, paging", 6, 0),
    ("ring 0, PAE", 10, 0),
    ("ring 0, large pages", 14, 0),
    ("ring 0, 16-bit segments", 2, 0x30),
    ("ring 0, 16-bit segments, paging", 6, 0x30),
    ("ring 0, limited segments", 2, 0xCF),
    ("ring 0, limited segments, PAE", 10, 0x8F),
    ("ring 3", 18, 0),
    ("ring 3, paging", 22, 0),
    ("ring 3, PAE", 26, 0),
    ("ring 3, large pages", 30, 0),
    ("ring 3, 16-bit segments, paging", 22, 0x30),
    ("ring 3, limited segments", 18, 0xCF),
    ("ring 3, limited segments, paging", 22, 0x4F),
    ("virtual-8086", 3, 0),
    ("virtual-8086, paging", 7, 0),
    ("virtual-8086, PAE", 11, 0),
)

# Lines that no table has: self-modifying code, loops, far transfers, system registers, ports.
SYSTEM = [bytes.fromhex(text) for text in """
    c60590009000cc9090
    c605a0009000cc e910000000
    c7058000a00000000000
    66c7058000b0000000
    b910000000e2fe
    b900100000f3a4 b900100000f3aa
    bf0000a000b900400000f3ab
    be0000a000b900400000f3a5
    bf0000a000b900200100f3aa
    b900020000fdf3a5fc
    fa fb f4
    9c 80742401029d 9d
    9c 80742401409dcf
    9c 8174240400000400 9d
    0f20c0 0f22c0
    0f20c0 34010f22c0 eb00
    0f20c0 3500000180 0f22c0
    0f20e0 34100f22e0
    0f20e0 3580000000 0f22e0
    0f20d8 0f22d8
    0f013b 0f0138
    0f20c0 a880 7402 0f06
    0f21f8 0f23f8 0f21f0
    b801040000 0f23f8 90 90
    b900000100 0f32 0f30
    b974010000 31d2 b808000000 0f30
    0f34 0f35
    b900010000 0f31 0fa2
    0f0003 0f000b 0f0013
    0f001b 0f0023 0f002b
    0f0103 0f010b
    0f0113 0f011b
    0f0123 0f0133
    0f02c3 0f03c3
    8cd8 8ed8 8ec0
    8ed0 89dc
    06 07 1e 1f 0fa0 0fa1 0fa8 0fa9
    0fb203 c503 c403 0fb403 0fb503
    b81b000000 8ed8
    b848000000 8ec0
    6a10 1f 6a23 1f
    9a 00009000 0800
    ea 20009000 0800
    ea 00000000 4800
    ea 00000000 2800
    9a 00000000 3000
    9a 00000000 9000
    ea 00000000 9000
    669a 00009800
    9a 00000000 9800
    9a 00000000 a000
    ea 00000000 a000
    ea 00000000 a800
    9a 20009000 b000
    9a 20009000 b800
    cd30 cd31
    cd32
    b8c0000000 8ed8
    b8c8000000 8ec0 268b03
    b8a0000000 0f00d8
    b890000000 0f02c8 0f03d0
    ff1b ff2b ff13 ff23
    6a08 6800009000 cb
    9c 6a08 6820009000 cf
    9c 6a1b 6820009000 cf
    c8100001 c9
    c8200010 c9
    60 61 6660 6661
    cd20 cd80 cc ce f1
    cd03 cd0e cd08
    e621 e421
    b034 e643 b000 e640 e640
    e664 e460 e464
    66bafc0c ed
    66ba0006 66ed 66ef
    66baf80c b800000080 ef
    66baf001 b910000000 f36d
    66baf001 b910000000 f36f
    66bac403 b006 ee
    66ba0404 ed 66ba04b0 ef
    bf00800b00 b900080000 f366ab
    8b0500000a00 a200000a00
    a10000f0ff a300f0ffff
    db2b d9e8 dd1b 9b
    dbe3 d9e8 d9ee def9 9b
    ddd8 dd33 dd23
    0fae03 0fae0b
    0f6f03 0fefc0 0f7f03 0f77
    0f2803 0f2903 0f2b03 660f6f03
    0fc70b f00fc70b
    f00fb10b f00fc10b f0830301
    ebfe
    ebee
    e8f0ffffff
    e8000000005883c006 ffe0
    c3
    c20400 66c3
    f4
    0f0b 0fb9c0 d6
    6766 8b07 67e302 e3f0
    d4 00 d50a 37 3f 27 2f
    f7f1 f6f1 f7f9
    31c9 f7f1
    62033e8603
    6303 0f20d0 0f22d0
    8f03 ff33 8f442404
    a5a4a7a6adacafae
    f3a6 f2ae f3ae f2a7
    bf00001000b90060010031c0f3aa
    c70520001000ffffffff
""".replace(" ", "").split()]


def grouped(lines):
    """In groups of one input each."""
    return [lines[at:at + LINES] for at in range(0, len(lines), LINES)]


def table():
    """Groups of the rows' lines."""
    lines = []
    for row in rows.table():
        digit = (row.digit or 0) << 3
        for modrm in (0xC1, 0x03):
            lines.append((row.prefix + row.opcode + bytes((modrm | digit,))).ljust(9, b"\x10"))
    return grouped(lines)


def system():
    return grouped(SYSTEM)


def head(mode, segments, n):
    """Flags, control bits and so on are those of every n-th input."""
    flags = 0x3000 if n % 5 == 4 else 0x100 if n % 11 == 10 else 0x40D5 if n % 13 == 12 else 0
    control = 1 << n % 8 if n % 3 == 2 else 0
    debug = (n % 16) if n % 7 == 6 else 0
    low = mode & 3 in (0, 1, 3)
    at = 0x300 if low else FREE
    registers = (0x12345678, 5, 0x3F8, at, at + 0x80, at + 0x100, at + 0x200)
    return struct.pack("<BBHBBH7I", mode, segments, flags, control, debug, 0, *registers)


def seed(mode, n, group):
    """The n-th input of a mode."""
    code = b"".join((line + END).ljust(LINE, b"\x90")[:LINE] for line in group)
    return head(*mode[1:], n) + code


def dictionary():
    """The text of AFL++'s file."""
    opcodes = {row.prefix + row.opcode for row in rows.table()}
    words = {b"\x66", b"\x67", b"\xf0", b"\xf2", b"\xf3", b"\x2e", b"\x36", b"\x64", b"\x65", END}
    words |= {bytes((op,)) for op in range(256)} | {b"\x0f" + bytes((op,)) for op in range(256)}
    words |= {struct.pack("<I", page + off) for page in (FREE, CODE, 0xA0000, 0xF0000, 0xFFFFF000,
                                                         0x02000000) for off in (0, 0xFFE)}
    words |= {struct.pack("<I", ODD_PAGES + n * 4096 + off) for n in range(18) for off in (0, 0xFFE)}
    words |= {struct.pack("<H", selector) for selector in range(0, 0x80, 8)}
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'
                   for word in sorted(opcodes | words))
