"""What the differential instruction test says of a case that differs: minimised, both outcomes."""

import os
import re
import sys

import casefile
from compare import differing
from disassemble import disassemble, mnemonics

FLAG_NAMES = {0: "CF", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 8: "TF", 10: "DF", 11: "OF", 14: "NT",
              18: "AC", 21: "ID"}


def flag_text(value):
    return " ".join(name for bit, name in FLAG_NAMES.items() if value >> bit & 1) or "-"


def describe_start(case):
    """Prints the case's code and initial state."""
    print(f"--- {case.name}")
    for line in disassemble(case):
        print("   ", line)
    initial = " ".join(f"{r}={v:08x}" for r, v in zip(casefile.REGS, case.gpr))
    print(f"    with {initial}\n         eflags={case.eflags:08x} ({flag_text(case.eflags)}) "
          f"fcw={case.fcw:04x} fsw={case.fsw:04x} ftw={case.ftw:02x} mxcsr={case.mxcsr:08x} "
          f"seed={case.seed:x} segs={[hex(s) for s in case.seg]}")
    for i, (base, limit, access, flags) in enumerate(case.ldt):
        if access:
            print(f"         {8 * (len(casefile.LDT) + i) + 7:#x}: base={base:08x} limit={limit:05x} "
                  f"access={access:02x} {'G' * (flags & 1)}{'D' * (flags >> 1)}")


def describe(machine, case, native, guest, why):
    """Prints the case and where the outcomes differ."""
    describe_start(case)
    if guest is None:
        print(f"    {why or 'no outcome'}; {machine.reference.name}: vector {native.vector} at {native.eip:08x}")
        return
    print(f"    ends with vector {native.vector} at {native.eip:08x} natively, "
          f"{guest.vector} at {guest.eip:08x} in the guest")
    for (name, a), (_, b) in zip(native.fields(), guest.fields()):
        if a != b:
            extra = ""
            if name == "eflags":
                extra = f"   ({flag_text(a)} | {flag_text(b)}: {flag_text(a ^ b)})"
            print(f"    {name:7} native {a:08x}  guest {b:08x}{extra}")
    changed = sorted(set(native.changes) | set(guest.changes))
    for address in [a for a in changed if native.changes.get(a) != guest.changes.get(a)][:16]:
        a, b = native.changes.get(address), guest.changes.get(address)
        show = [f"{x:08x}" if x is not None else "unchanged" for x in (a, b)]
        print(f"    [{address:08x}] native {show[0]}  guest {show[1]}")


def context(machine, chunk, index):
    """For a case that differs only after others ran: a short list of such others and the guest's
    outcome, or (None, None) if it does not differ again."""
    def outcome_after(indices):
        cases = [chunk[i] for i in indices + [index]]
        packed = [c.pack() for c in cases]
        outcomes, _, _ = machine.guest_once(packed, machine.reference.hashes(packed), machine.options)
        return outcomes.get(len(indices))

    length, before, guest = 1, [], None
    while guest is None and len(before) < index:
        before = list(range(max(index - length, 0), index))
        guest = outcome_after(before)
        length *= 2
    if guest is None:
        return None, None
    step = max(len(before) // 2, 1)
    while True:
        for at in range(0, len(before), step):
            less = before[:at] + before[at + step:]
            found = outcome_after(less)
            if found is not None:
                before, guest = less, found
                break
        else:
            if step == 1:
                return [chunk[i] for i in before], guest
            step //= 2


def minimise(machine, cases):
    """Drops items of each case while native and guest still differ; all cases at once, first
    halves, then smaller runs, then single items."""
    active = dict(enumerate(cases))
    span = {k: max(len(case.items) // 2, 1) for k, case in active.items()}
    while active:
        trial = []
        for k, case in active.items():
            for i in range(0, len(case.items), span[k]):
                less = case
                for _ in range(min(span[k], len(case.items) - i)):
                    less = less.without(i)
                trial.append((k, less))
        failed = {i for i, _, _ in differing(machine, [c for _, c in trial])}
        progress = {}
        for i, (k, case) in enumerate(trial):
            if i in failed and k not in progress:
                progress[k] = case
        for k in list(active):
            if k in progress:
                active[k] = progress[k]
                cases[k] = progress[k]
                span[k] = min(span[k], max(len(progress[k].items), 1))
            elif span[k] > 1:
                span[k] //= 2
            else:
                del active[k]
    return cases


def report(machine, failures):
    """Minimises and prints failing cases of one form: (case, why, (chunk, index, outcome))."""
    args = machine.args
    seen = {}
    form = f" ({machine.form})" if machine.form else ""
    shown = [case for case, _, _ in failures]
    if args.minimise:
        shown = minimise(machine, [case.copy() for case in shown])
    for k, (case, (_, why, origin)) in enumerate(zip(shown, failures)):
        packed = [case.pack()]
        native = machine.reference.outcomes(packed)[0]
        if native is None:
            describe_start(case)
            print(f"    {why}")
            continue
        outcomes, _, ended = machine.guest_once(packed, machine.reference.hashes(packed),
                                                machine.options)
        guest = outcomes.get(0)
        if guest is None and ended is None:
            before, guest = context(machine, *origin[:2])
            case = origin[0][origin[1]]
            native = machine.reference.outcomes([case.pack()])[0]
            if before is None:
                before, guest = [], origin[2]
                print("--- did not show again:")
            else:
                print("--- only after:")
            for other in before:
                describe_start(other)
        names = [n for (n, a), (_, b) in zip(native.fields(), guest.fields()) if a != b] if guest \
            else [why]
        kind = (tuple(mnemonics(case)), tuple(names))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > 1:
            continue
        describe(machine, case, native, guest, ended or why)
        if args.save:
            os.makedirs(args.save, exist_ok=True)
            name = re.sub(r"[^a-z0-9]+", "-", case.name) or f"case-{k}"
            with open(os.path.join(args.save, f"{name}.case"), "w", encoding="ascii") as f:
                f.write("".join(f"# {line}\n" for line in disassemble(case)) + case.text())
        sys.stdout.flush()
    for (names, fields), count in seen.items():
        print(f"insn{form}: {count} times {' '.join(names)}: {' '.join(fields)}")
