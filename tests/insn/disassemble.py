"""Cases as objdump has them."""

import re
import subprocess
import tempfile

import casefile


def objdump(code, machine, address):
    """objdump's lines for machine code (i386 or i8086) at an address."""
    with tempfile.NamedTemporaryFile(prefix="insn-", suffix=".bin") as f:
        f.write(code)
        f.flush()
        text = subprocess.run(["objdump", "-D", "-b", "binary", "-m", machine, "-M", "intel",
                               f"--adjust-vma={address:#x}", f.name],
                              stdout=subprocess.PIPE, check=True).stdout.decode()
    return [line.strip() for line in text.splitlines() if re.match(r"\s*[0-9a-f]+:\t", line)]


def disassemble(case):
    """objdump's lines for the case's instructions."""
    code = case.code()[:None if case.cut else -len(casefile.TERMINATOR)] or b"\x90"
    lines, start = [], 0
    # 16-bit code begins behind the far jump into its segment
    split = re.search(rb"\xea....\x47\x00", code, re.DOTALL)
    for machine, end in (("i386", split.end() if split else len(code)), ("i8086", len(code))):
        lines += objdump(code[start:end], machine, case.address + start)
        start = end
        if start == len(code):
            break
    return lines


def mnemonics(case):
    """The case's instructions without operands and without the generator's MOV reg, imm32."""
    lines = (line.split("\t") for line in disassemble(case))
    words = (parts[2].split() for parts in lines if len(parts) > 2)
    return [" ".join(w[:2]) if w[0] in ("rep", "repz", "repnz", "lock") else w[0]
            for w in words if w] or ["?"]
