"""Which differences between the CPU and the guest are none of the translator's."""

import re

import casefile
from disassemble import objdump

# Instructions with several stack accesses: when one faults, which one and whether the effect of those
# before it shows below ESP (or in the registers of POPA) differs between CPUs.
PREFIX = rb"[\x26\x2e\x36\x3e\x64-\x67\xf0\xf2\xf3]*"
PARTIAL = ((rb"\x60|\x9a|\xff[\x18-\x1f\x58-\x5f\x98-\x9f]", ("memory", "error", "cr2")),
           (rb"\xc8", ("vector", "memory", "error", "cr2")),
           # 80-bit operands, which some CPUs access in two parts
           (rb"\xdb[\x28-\x2f\x38-\x3f\x68-\x6f\x78-\x7f\xa8-\xaf\xb8-\xbf]|"
            rb"\xdf[\x20-\x27\x30-\x37\x60-\x67\x70-\x77\xa0-\xa7\xb0-\xb7]",
            ("vector", "error", "cr2")),
           (rb"\x61", ("eax", "ecx", "edx", "ebx", "ebp", "esi", "edi")),
           (rb"\xca|\xcb|\xcf", ("vector", "error", "cr2")),
           # large operands: which byte's address CR2 holds
           (rb"\x0f\xae|[\xd9\xdd][\x20-\x37\x60-\x77\xa0-\xb7]", ("vector", "cr2")),
           # a store of ten bytes: rights of the first eight's page, or limit for the last two, first
           (rb"\xdb[\x38-\x3f\x78-\x7f\xb8-\xbf]|\xdf[\x30-\x37\x70-\x77\xb0-\xb7]",
            ("vector", "error", "cr2")),
           # whether it enters MMX mode before it faults, which sets TOP to 0 and so renumbers ST
           (rb"\x0f\xf7", ("ftw", "fsw", *(f"st{i}" for i in range(8)))),
           # misaligned and beyond the limit of SS: #GP or #SS
           (rb"\x0f", ("vector",)))
# VEX and EVEX (LDS, LES and BOUND with a register as their operand): AVX, which CPUID here does not
# have (Intel SDM vol. 2A section 2.3), and the native runner's CPU may.
AVX = re.compile(rb"[\x26\x2e\x36\x3e\x64\x65\x67]*[\xc4\xc5\x62][\xc0-\xff]")
# In 32-bit code on some CPUs, and CPUID here does not have it.
SYSCALL = re.compile(PREFIX + rb"\x0f\x05")
INT1 = re.compile(PREFIX + rb"\xf1")
# Of a 16-byte operand these use eight bytes, and need not read the others (Intel SDM vol. 2B, UNPCKLPS);
# that shows where it is misaligned.
HALF = re.compile(PREFIX + rb"\x0f[\x14\x60-\x62\x6c\xd1-\xd3\xe1\xe2\xf1-\xf3]")
MXCSR_MM = 0x20000
# A memory operand as disassemble() writes it.
OPERAND = re.compile(r"(?:(\w+) PTR )?(?:([d-gs]s):)?(?:\[([^]]*)\]|(0x[0-9a-f]+))")
OPERAND_BYTES = {"BYTE": 1, "WORD": 2, "DWORD": 4, "FWORD": 6, "QWORD": 8, "TBYTE": 10, "XMMWORD": 16}


def place(case, outcome):
    """Where in the case's code an outcome's EIP is, and whether that is 32-bit code."""
    base, flags = 0, 2
    if outcome.seg[1] & 4:
        base, _, _, flags = (*casefile.LDT, *case.ldt)[outcome.seg[1] >> 3]
    return (base + outcome.eip & 0xFFFFFFFF) - case.address, flags & 2


def code_at(cases, index, address):
    """What may stand at an address: a case's own code, or behind a wild jump another's."""
    own = cases[index]
    for case in [own] if 0 <= address - own.address < len(own.code()) else cases:
        if 0 <= address - case.address < 4096:
            code = case.code()[address - case.address:]
            if code:
                yield code[:16]


def wraps_round(cases, index, native):
    """Whether an operand of the instruction that faulted natively has its end, but not its beginning,
    above 4 GiB: what it has for an offset, not where the segment puts it."""
    at, wide = place(cases[index], native)
    registers = dict(zip(casefile.REGS, native.gpr), eiz=0)
    for code in code_at(cases, index, cases[index].address + at):
        lines = objdump(code, "i386" if wide else "i8086", 0)
        for found in OPERAND.finditer(lines[0].split("\t")[-1] if lines else ""):
            terms = found[3] if found[3] is not None else found[4]
            if re.search(r"\b([bs][xip]|di)\b", terms):  # a 16-bit address
                continue
            terms = re.sub(r"\be[a-z]{2}\b", lambda r: str(registers[r[0]]), terms)
            offset = eval(terms) & 0xFFFFFFFF  # noqa: S307
            if offset + OPERAND_BYTES.get(found[1], 4096) > 1 << 32:
                return True
    return False


def acceptable(cases, index, native, guest):
    """Differences that are none of the translator's. An operand that wraps round 4 GiB in a segment
    without limit may or may not exceed the limit (Intel SDM vol. 3A section 6.3); a wild load may
    hit the native runner's own image; a wild jump into data finds it not executable there; some
    hypervisors report INT1 as a fault; what follows an undefined opcode may be fetched, and not be
    there, before it is found undefined; AVX; SYSCALL; HALF; and PARTIAL."""
    case = cases[index]
    if guest is None or native is None:
        return False
    if guest.vector == 14 and guest.cr2 in casefile.NATIVE_IMAGE:
        return True
    if native.vector == 14 and native.error & 1 and (
            native.cr2 - case.address == place(case, native)[0]):
        return True
    if {guest.vector, native.vector} == {6, 14} and native.eip == guest.eip:
        fetched = max(native.cr2, guest.cr2)
        if fetched % 4096 == 0 and 0 < fetched - (case.address + place(case, native)[0]) < 15:
            return True
    bases = [0] + [entry[0] for entry in (*casefile.LDT, *case.ldt)]
    wraps = any((guest.cr2 - base) & 0xFFFFFFFF >= 0xFFFFFF00 for base in bases)
    if guest.vector == 14 and wraps and native.vector in (12, 13) and native.eip == guest.eip:
        return True
    if native.vector in (12, 13) and wraps_round(cases, index, native):
        return True
    address = case.address + place(case, guest)[0]
    if guest.vector == 6 and any(AVX.match(code) for code in code_at(cases, index, address)):
        return True
    if guest.vector == 14 and guest.cr2 % 4096 == 0 and guest.mxcsr & MXCSR_MM and any(
            HALF.match(code) for code in code_at(cases, index, address)):
        return True
    if guest.vector == 6 and any(SYSCALL.match(code) for code in code_at(cases, index, address)):
        return True
    int1s = (INT1.match(code) for code in code_at(cases, index, case.address + place(case, native)[0]))
    if native.vector == guest.vector == 1 and any(
            int1 and native.eip + int1.end() == guest.eip for int1 in int1s):
        return True
    ignored = next((names for opcode, names in PARTIAL for code in code_at(cases, index, address)
                    if re.match(PREFIX + b"(" + opcode + b")", code)), ())
    return {guest.vector, native.vector} <= {12, 13, 14} and all(
        a == b or name in ignored for (name, a), (_, b) in zip(native.fields(), guest.fields()))
