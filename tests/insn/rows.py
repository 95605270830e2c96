"""The instruction table of the differential test: one row per encoding.

A row is "name opcode operands attributes". The opcode is hexadecimal, mandatory prefixes first,
"/digit" where ModRM.reg extends it. Operands:

    Eb Ew Ed Ev   ModRM r/m, general register or memory (v: 16 or 32 bits, prefix 66)
    Gb Gw Gd Gv   ModRM reg, general register         Rd  ModRM r/m, register only
    Zb Zd Zv      register in the opcode's low bits
    M<bits>       ModRM r/m, memory only; bits 0: only the address is used
    V, Q          ModRM reg: XMM, MMX register
    W<bits>[a]    ModRM r/m: XMM register or memory (a: faults unless 16-byte aligned)
    P<bits>       ModRM r/m: MMX register or memory
    UV, UQ        ModRM r/m: XMM, MMX register only
    Ib Iw Iz      immediate (z: 16 or 32 bits)
    O             moffs: 32-bit address without ModRM
    S             ModRM reg: a segment register
    -             none

Attributes: ro (first operand is not written), lock (LOCK allowed when it is memory), c=reg,..
(further registers written), u=flags undefined (letters of oszapc; masked only against the
reference), m=flags masked always because the translator computes them itself, w=weight,
norr (needs a memory operand), skipref (reference known to differ), a32 (address size not varied).
"""

ALU = ("add", "or", "adc", "sbb", "and", "sub", "xor", "cmp")
SHIFTS = ("rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar")
CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()


def _alu():
    for i, name in enumerate(ALU):
        base = 8 * i
        attrs = "ro" if name == "cmp" else "lock"
        undefined = " u=a" if name in ("or", "and", "xor") else ""
        yield f"{name} {base:02x} Eb,Gb {attrs}{undefined}"
        yield f"{name} {base + 1:02x} Ev,Gv {attrs}{undefined} w=3"
        ro = "ro" if name == "cmp" else ""
        yield f"{name} {base + 2:02x} Gb,Eb {ro}{undefined}"
        yield f"{name} {base + 3:02x} Gv,Ev {ro}{undefined} w=3"
        yield f"{name} {base + 4:02x} Ib c=eax{undefined}"
        yield f"{name} {base + 5:02x} Iz c=eax{undefined}"
        yield f"{name} 80/{i} Eb,Ib {attrs}{undefined}"
        yield f"{name} 82/{i} Eb,Ib {attrs}{undefined}"
        yield f"{name} 81/{i} Ev,Iz {attrs}{undefined}"
        yield f"{name} 83/{i} Ev,Ib {attrs}{undefined} w=2"


def _shifts():
    for i, name in enumerate(SHIFTS):
        for opcode, operand in (("c0", "Eb,Ib"), ("c1", "Ev,Ib"), ("d0", "Eb"), ("d1", "Ev"),
                                ("d2", "Eb"), ("d3", "Ev")):
            undefined = " u=oa" if i >= 4 else " u=o"
            if opcode in ("d0", "d1"):
                undefined = " u=a" if i >= 4 else ""
            yield f"{name} {opcode}/{i} {operand}{undefined}"
    for opcode, name in (("0fa4", "shld"), ("0fac", "shrd")):
        yield f"{name} {opcode} Ev,Gv,Ib u=oa"
        yield f"{name} {opcode[:3]}{'5' if name == 'shld' else 'd'} Ev,Gv u=oa"


def _conditions():
    for i, cc in enumerate(CONDITIONS):
        yield f"set{cc} 0f9{i:x}/0 Eb"
        yield f"cmov{cc} 0f4{i:x} Gv,Ev"


INTEGER = """
test 84 Eb,Gb ro u=a
test 85 Ev,Gv ro u=a
test a8 Ib u=a
test a9 Iz u=a
test f6/0 Eb,Ib ro u=a
test f7/0 Ev,Iz ro u=a
test f6/1 Eb,Ib ro u=a
not f6/2 Eb lock
not f7/2 Ev lock
neg f6/3 Eb lock
neg f7/3 Ev lock
mul f6/4 Eb ro c=eax u=szap
mul f7/4 Ev ro c=eax,edx u=szap w=2
imul f6/5 Eb ro c=eax u=szap
imul f7/5 Ev ro c=eax,edx u=szap w=2
imul 0faf Gv,Ev u=szap w=2
imul 69 Gv,Ev,Iz u=szap
imul 6b Gv,Ev,Ib u=szap
inc fe/0 Eb lock
inc ff/0 Ev lock
dec fe/1 Eb lock
dec ff/1 Ev lock
inc 40 Zv w=2
dec 48 Zv w=2
mov 88 Eb,Gb w=3
mov 89 Ev,Gv w=4
mov 8a Gb,Eb w=3
mov 8b Gv,Ev w=4
mov a0 O8 c=eax
mov a1 Ov c=eax
mov a2 O8
mov a3 Ov
mov b0 Zb,Ib w=3
mov b8 Zv,Iz w=2
mov c6/0 Eb,Ib
mov c7/0 Ev,Iz w=2
movzx 0fb6 Gv,Eb w=2
movzx 0fb7 Gv,Ew
movsx 0fbe Gv,Eb w=2
movsx 0fbf Gv,Ew
lea 8d Gv,M0 w=6
xchg 86 Eb,Gb
xchg 87 Ev,Gv w=2
xchg 90 Zv c=eax
cbw 98 - c=eax o16
cwd 99 - c=edx o16
lahf 9f - c=eax
sahf 9e - w=2
clc f8 -
stc f9 -
cmc f5 -
cld fc -
std fd -
salc d6 - c=eax
xlat d7 xlat c=eax w=3
daa 27 - c=eax m=o u=o
das 2f - c=eax m=o u=o
aaa 37 - c=eax m=oszp u=oszp
aas 3f - c=eax m=oszp u=oszp
aam d4 Ib c=eax m=oac u=oac w=2
aad d5 Ib c=eax m=oac u=oac w=2
bt 0fa3 Ev,Gv ro bit u=osap
bts 0fab Ev,Gv lock bit u=osap
btr 0fb3 Ev,Gv lock bit u=osap
btc 0fbb Ev,Gv lock bit u=osap
bt 0fba/4 Ev,Ib ro u=osap
bts 0fba/5 Ev,Ib lock u=osap
btr 0fba/6 Ev,Ib lock u=osap
btc 0fba/7 Ev,Ib lock u=osap
bsf 0fbc Gv,Ev u=osapc skipref
bsr 0fbd Gv,Ev u=osapc skipref
popcnt f30fb8 Gv,Ev
movbe 0f38f0 Gv,Mv
movbe 0f38f1 Mv,Gv
crc32 f20f38f0 Gd,Eb o16no
crc32 f20f38f1 Gd,Ev
cmpxchg 0fb0 Eb,Gb lock c=eax
cmpxchg 0fb1 Ev,Gv lock c=eax w=2
xadd 0fc0 Eb,Gb lock
xadd 0fc1 Ev,Gv lock
cmpxchg8b 0fc7/1 M64 lock c=eax,edx w=2
bswap 0fc8 Zd
arpl 63 Ew,Gw
nop 0f1f/0 Ev ro
prefetch 0f18/0 M8 ro
prefetch 0f18/1 M8 ro
prefetch 0f18/2 M8 ro
prefetch 0f18/3 M8 ro
prefetch 0f0d/1 M8 ro
nop 90 -
pause f390 -
lfence 0faee8 -
mfence 0faef0 -
sfence 0faef8 -
clflush 0fae/7 M8 ro
movnti 0fc3 M32,Gd
push ff/6 Ev ro
push 50 Zv ro w=2
pop 58 Zv w=2
pop 8f/0 Ev
push 68 Iz
push 6a Ib
pusha 60 - o16
popa 61 - o16 c=eax,ecx,edx,ebx,ebp,esi,edi
pushf 9c - o16 w=2
leave c9 - o16 c=ebp w=0.5
mov 8c Ew,S
"""

X87_MEMORY = """
fadd d8/0 M32
fmul d8/1 M32
fcom d8/2 M32
fcomp d8/3 M32
fsub d8/4 M32
fsubr d8/5 M32
fdiv d8/6 M32
fdivr d8/7 M32
fld d9/0 M32 w=3
fst d9/2 M32
fstp d9/3 M32 w=2
fldcw d9/5 M16 w=0.3
fnstcw d9/7 M16
fiadd da/0 M32
fimul da/1 M32
ficom da/2 M32
ficomp da/3 M32
fisub da/4 M32
fisubr da/5 M32
fidiv da/6 M32
fidivr da/7 M32
fild db/0 M32 w=2
fisttp db/1 M32
fist db/2 M32
fistp db/3 M32
fld db/5 M80 w=3
fstp db/7 M80 w=2
fadd dc/0 M64
fmul dc/1 M64
fcom dc/2 M64
fcomp dc/3 M64
fsub dc/4 M64
fsubr dc/5 M64
fdiv dc/6 M64
fdivr dc/7 M64
fld dd/0 M64 w=3
fisttp dd/1 M64
fst dd/2 M64
fstp dd/3 M64 w=2
fnstsw dd/7 M16
fiadd de/0 M16
fimul de/1 M16
ficom de/2 M16
ficomp de/3 M16
fisub de/4 M16
fisubr de/5 M16
fidiv de/6 M16
fidivr de/7 M16
fild df/0 M16
fisttp df/1 M16
fist df/2 M16
fistp df/3 M16
fbld df/4 M80 skipref
fild df/5 M64
fbstp df/6 M80 skipref
fistp df/7 M64
fwait 9b - w=4
"""


def _x87_registers():
    """Register forms: opcode byte, then every ModRM byte that is an instruction."""
    for first, ranges, name in (
            ("d8", ((0xC0, 0x100),), "farith"),
            ("d9", ((0xC0, 0xD1), (0xD8, 0xE0)), "fld-fxch"),
            ("d9", ((0xE0, 0xE2), (0xE4, 0xE6), (0xE8, 0xEF)), "fconst"),
            ("d9", ((0xF4, 0xF9), (0xFA, 0xFB), (0xFC, 0xFE)), "fmisc"),
            ("da", ((0xC0, 0xE0), (0xE9, 0xEA)), "fcmov"),
            ("db", ((0xC0, 0xE5), (0xE8, 0xF8)), "fcmovn-fcomi"),
            ("dc", ((0xC0, 0xD0), (0xE0, 0x100)), "farith"),
            ("dd", ((0xC0, 0xC8), (0xD0, 0xF0)), "fst-fucom"),
            ("de", ((0xC0, 0xD0), (0xD9, 0xDA), (0xE0, 0x100)), "farithp"),
            ("df", ((0xC0, 0xE0), (0xE8, 0xF8)), "fcomip")):
        for low, high in ranges:
            for second in range(low, high):
                yield f"{name} {first}{second:02x} - w=0.2"
    for second in (0xF0, 0xF1, 0xF2, 0xF3, 0xF9, 0xFB, 0xFE, 0xFF):
        yield f"ftrans d9{second:02x} - skipref w=0.3"
    yield "fnstsw dfe0 - c=eax w=3"


def _mmx():
    arith = (0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x74, 0x75,
             0x76, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF,
             0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE8, 0xE9, 0xEA, 0xEB, 0xEC, 0xED, 0xEE, 0xEF,
             0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE)
    for op in arith:
        size = 32 if op in (0x60, 0x61, 0x62) else 64
        yield f"mmx-{op:02x} 0f{op:02x} Q,P{size}"
        yield f"sse2-{op:02x} 660f{op:02x} V,W128a"
    for op in (0x6C, 0x6D):
        yield f"punpck 660f{op:02x} V,W128a"
    for op in (0x71, 0x72, 0x73):
        for digit in (2, 4, 6) if op != 0x73 else (2, 6):
            yield f"mmxshift 0f{op:02x}/{digit} UQ,Ib"
            yield f"sseshift 660f{op:02x}/{digit} UV,Ib"
    for digit in (3, 7):
        yield f"pslldq 660f73/{digit} UV,Ib"
    for op in (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x1C, 0x1D,
               0x1E):
        yield f"ssse3-{op:02x} 0f38{op:02x} Q,P64"
        yield f"ssse3-{op:02x} 660f38{op:02x} V,W128a"
    yield "palignr 0f3a0f Q,P64,Ib"
    yield "palignr 660f3a0f V,W128a,Ib"


VECTOR = """
movd 0f6e Q,Ed
movd 0f7e Ed,Q
movq 0f6f Q,P64 w=3
movq 0f7f P64,Q w=2
emms 0f77 - w=3
pshufw 0f70 Q,P64,Ib
pinsrw 0fc4 Q,EW16,Ib
pextrw 0fc5 Gd,UQ,Ib
pmovmskb 0fd7 Gd,UQ
maskmovq 0ff7 Q,UQ maskmov
movntq 0fe7 M64,Q
movd 660f6e V,Ed w=2
movd 660f7e Ed,V w=2
movq f30f7e V,W64
movq 660fd6 W64,V
movdqa 660f6f V,W128a w=2
movdqa 660f7f W128a,V w=2
movdqu f30f6f V,W128 w=3
movdqu f30f7f W128,V w=3
movq2dq f30fd6 V,UQ
movdq2q f20fd6 Q,UV
pshufd 660f70 V,W128a,Ib
pshufhw f30f70 V,W128a,Ib
pshuflw f20f70 V,W128a,Ib
pinsrw 660fc4 V,EW16,Ib
pextrw 660fc5 Gd,UV,Ib
pmovmskb 660fd7 Gd,UV
maskmovdqu 660ff7 V,UV maskmov
movntdq 660fe7 M128a,V
movntps 0f2b M128a,V
movntpd 660f2b M128a,V
movups 0f10 V,W128 w=2
movups 0f11 W128,V w=2
movupd 660f10 V,W128
movupd 660f11 W128,V
movss f30f10 V,W32 w=2
movss f30f11 W32,V w=2
movsd f20f10 V,W64 w=2
movsd f20f11 W64,V w=2
movaps 0f28 V,W128a w=2
movaps 0f29 W128a,V w=2
movapd 660f28 V,W128a
movapd 660f29 W128a,V
movhlps 0f12 V,UV
movlps 0f12 V,M64
movlps 0f13 M64,V
movlpd 660f12 V,M64
movlpd 660f13 M64,V
movlhps 0f16 V,UV
movhps 0f16 V,M64
movhps 0f17 M64,V
movhpd 660f16 V,M64
movhpd 660f17 M64,V
movsldup f30f12 V,W128a
movshdup f30f16 V,W128a
movddup f20f12 V,W64
unpcklps 0f14 V,W128a
unpckhps 0f15 V,W128a
unpcklpd 660f14 V,W128a
unpckhpd 660f15 V,W128a
movmskps 0f50 Gd,UV
movmskpd 660f50 Gd,UV
ucomiss 0f2e V,W32
comiss 0f2f V,W32
ucomisd 660f2e V,W64
comisd 660f2f V,W64
cvtpi2ps 0f2a V,P64
cvtpi2pd 660f2a V,P64
cvtsi2ss f30f2a V,Ed
cvtsi2sd f20f2a V,Ed
cvttps2pi 0f2c Q,W64
cvtps2pi 0f2d Q,W64
cvttpd2pi 660f2c Q,W128a
cvtpd2pi 660f2d Q,W128a
cvttss2si f30f2c Gd,W32
cvtss2si f30f2d Gd,W32
cvttsd2si f20f2c Gd,W64
cvtsd2si f20f2d Gd,W64
cvtps2pd 0f5a V,W64
cvtpd2ps 660f5a V,W128a
cvtss2sd f30f5a V,W32
cvtsd2ss f20f5a V,W64
cvtdq2ps 0f5b V,W128a
cvtps2dq 660f5b V,W128a
cvttps2dq f30f5b V,W128a
cvtdq2pd f30fe6 V,W64
cvtpd2dq f20fe6 V,W128a
cvttpd2dq 660fe6 V,W128a
rsqrtps 0f52 V,W128a skipref
rsqrtss f30f52 V,W32 skipref
rcpps 0f53 V,W128a skipref
rcpss f30f53 V,W32 skipref
andps 0f54 V,W128a
andpd 660f54 V,W128a
andnps 0f55 V,W128a
andnpd 660f55 V,W128a
orps 0f56 V,W128a
orpd 660f56 V,W128a
xorps 0f57 V,W128a
xorpd 660f57 V,W128a
cmpps 0fc2 V,W128a,Ib
cmppd 660fc2 V,W128a,Ib
cmpss f30fc2 V,W32,Ib
cmpsd f20fc2 V,W64,Ib
shufps 0fc6 V,W128a,Ib
shufpd 660fc6 V,W128a,Ib
ldmxcsr 0fae/2 M32 w=0.2
stmxcsr 0fae/3 M32
haddpd 660f7c V,W128a
hsubpd 660f7d V,W128a
haddps f20f7c V,W128a
hsubps f20f7d V,W128a
addsubpd 660fd0 V,W128a
addsubps f20fd0 V,W128a
lddqu f20ff0 V,M128
pblendvb 660f3810 V,W128a
blendvps 660f3814 V,W128a
blendvpd 660f3815 V,W128a
ptest 660f3817 V,W128a
movntdqa 660f382a V,M128a
extractps 660f3a17 Ed,V,Ib
pextrb 660f3a14 EB8,V,Ib
pextrw 660f3a15 EW16,V,Ib
pextrd 660f3a16 Ed,V,Ib
pinsrb 660f3a20 V,EB8,Ib
insertps 660f3a21 V,W32,Ib
pinsrd 660f3a22 V,Ed,Ib
aesimc 660f38db V,W128a
aesenc 660f38dc V,W128a
aesenclast 660f38dd V,W128a
aesdec 660f38de V,W128a
aesdeclast 660f38df V,W128a
aeskeygenassist 660f3adf V,W128a,Ib
pclmulqdq 660f3a44 V,W128a,Ib
pcmpestrm 660f3a60 V,W128,Ib
pcmpestri 660f3a61 V,W128,Ib c=ecx
pcmpistrm 660f3a62 V,W128,Ib
pcmpistri 660f3a63 V,W128,Ib c=ecx
"""


def _sse():
    for op in (0x51, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F):
        for prefix, size in (("", "128a"), ("66", "128a"), ("f3", "32"), ("f2", "64")):
            yield f"sse-{op:02x} {prefix}0f{op:02x} V,W{size}"
    for op in (0x28, 0x29, 0x2B, *range(0x37, 0x42)):
        yield f"sse4-{op:02x} 660f38{op:02x} V,W128a"
    for op, size in ((0x20, 64), (0x21, 32), (0x22, 16), (0x23, 64), (0x24, 32), (0x25, 64)):
        yield f"pmovsx 660f38{op:02x} V,W{size}"
        yield f"pmovzx 660f38{op + 0x10:02x} V,W{size}"
    for op, size in ((0x08, "128a"), (0x09, "128a"), (0x0A, "32"), (0x0B, "64"), (0x0C, "128a"),
                     (0x0D, "128a"), (0x0E, "128a"), (0x40, "128a"), (0x41, "128a"),
                     (0x42, "128a")):
        yield f"sse4-{op:02x} 660f3a{op:02x} V,W{size},Ib"


class Row:
    """A parsed row."""

    __slots__ = ("name", "prefix", "opcode", "digit", "operands", "written", "lock", "clobbers",
                 "undefined", "masked", "weight", "skipref", "o16", "bit", "group", "special")

    def __init__(self, line, group):
        name, opcode, rest = (line.split(None, 2) + [""])[:3]
        words = rest.split()
        operands = ()
        if words and (words[0][0].isupper() or words[0] in ("-", "xlat")):
            operands = tuple(words.pop(0).split(",")) if words[0] not in ("-", "xlat") else ()
            self.special = "xlat" if "xlat d7" in line else ""
        else:
            self.special = ""
        self.name, self.group, self.operands = name, group, operands
        opcode, _, digit = opcode.partition("/")
        self.digit = int(digit) if digit else None
        prefix = ""
        if opcode[:2] in ("66", "f2", "f3") and opcode[2:4] == "0f":
            prefix, opcode = opcode[:2], opcode[2:]
        self.prefix, self.opcode = bytes.fromhex(prefix), bytes.fromhex(opcode)
        attributes = dict(w.partition("=")[::2] for w in words)
        self.written = "ro" not in attributes
        self.lock = "lock" in attributes
        self.clobbers = tuple("eax ecx edx ebx esp ebp esi edi".split().index(r)
                              for r in attributes.get("c", "").split(",") if r)
        self.undefined, self.masked = attributes.get("u", ""), attributes.get("m", "")
        self.weight = float(attributes.get("w", 1))
        self.skipref = "skipref" in attributes
        self.bit = "bit" in attributes
        if "maskmov" in attributes:
            self.special = "maskmov"
        self.o16 = "o16" in attributes or any(o in ("Ev", "Gv", "Zv", "Iz", "Mv", "Ov", "S")
                                              for o in operands)


def table():
    """All rows."""
    rows = []
    for group, lines in (("integer", list(_alu()) + list(_shifts()) + list(_conditions())
                          + INTEGER.split("\n")),
                         ("x87", X87_MEMORY.split("\n") + list(_x87_registers())),
                         ("mmx", [l for l in _mmx() if " 66" not in l]
                          + [l for l in VECTOR.split("\n") if "Q" in l or "emms" in l]),
                         ("sse", [l for l in _mmx() if " 66" in l] + list(_sse())
                          + [l for l in VECTOR.split("\n") if "Q" not in l and "emms" not in l])):
        rows += [Row(line, group) for line in lines if line.strip()]
    return rows
