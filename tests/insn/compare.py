"""Running cases in both worlds and comparing how they end."""

import casefile
from judge import acceptable
from machine import OtherForm

FORMS = ("checked", "direct", "short")  # "direct" has all code in long blocks (bt/heat.c), "short" none


def by_chance(machine, case, overwritten):
    """Whether a difference is an interrupt in the middle of a repeated MOVS or STOS that has overwritten
    itself: the CPU then goes on with what now stands there (Intel SDM vol. 2B, REP), and otherwise with the
    repetition. overwritten: that it has, from single steps. Alone, where an interrupt seldom hits,
    the case must end alike."""
    if not overwritten:
        return False
    packed = [case.pack()]
    machine.timer, timer = casefile.TIMER, machine.timer
    alike = any(not machine.guest(packed, machine.reference.hashes(packed)) for _ in range(10))
    machine.timer = timer
    return alike


def differing(machine, cases, expect=None):
    """(index, why, outcome) of the cases that differ. Left out are acceptable differences, what the
    reference leaves out, and the cases that end there once in another way and once in the guest's (what
    goes on below an operating system shows now and then). expect: the reference's hashes."""
    packed = [c.pack() for c in cases]
    expect = expect or machine.reference.hashes(packed)
    there = [i for i in range(len(cases)) if any(expect[4 * i:4 * i + 4])]
    if len(there) < len(cases):
        # anew: a case may read the code of another that is not there now
        found = differing(machine, [cases[i] for i in there]) if there else []
        return [(there[i], why, outcome) for i, why, outcome in found]
    failed = machine.guest(packed, expect)
    if not failed:
        return []
    natives = machine.reference.outcomes(packed)
    twofold = {i for i, outcome, _ in failed if outcome and natives[i] and outcome.same(natives[i])}
    machine.twofold.update(cases[i].name for i in twofold)
    failed = [(i, why, outcome) for i, outcome, why in sorted(failed, key=lambda found: found[0])
              if i not in twofold and not acceptable(cases, i, natives[i], outcome)]
    steps = machine.reference.steps(packed) if failed else []
    for n, (i, _, outcome) in enumerate(failed):
        if outcome is not None and by_chance(machine, cases[i], steps[i][1]):
            # it has left other code behind in one world than in the other: those after it, anew
            after = differing(machine, cases[i + 1:])
            return failed[:n] + [(i + 1 + k, why, outcome) for k, why, outcome in after]
    return failed


def compare(machine, reference, forms, cases, expect):
    """Runs the cases in each form. Returns (reference, form, case, why, (cases, index, outcome)) of
    those that differ."""
    failures = []
    machine.reference = reference
    for machine.form in forms:
        failures += [(reference, machine.form, cases[i], why, (cases, i, outcome))
                     for i, why, outcome in differing(machine, cases, expect)]
    return failures


def run_cases(machine, cases):
    """Compares the cases with the CPU; those that it leaves out with each other, in the forms. Returns
    as compare() does, and how many the CPU left out."""
    packed = [c.pack() for c in cases]
    forms = machine.args.form or [None]
    hashes = machine.native.hashes(packed)
    failures = compare(machine, machine.native, forms, cases, hashes)
    rest = [cases[i] for i in range(len(cases)) if not any(hashes[4 * i:4 * i + 4])]
    if rest and not machine.args.reference:
        first, *others = forms if len(forms) > 1 else forms + [f for f in FORMS if f not in forms][:1]
        reference = OtherForm(machine, first)
        hashes = reference.hashes([c.pack() for c in rest])
        failures += [(reference, first, rest[i], why, (rest, i, None)) for i, why in reference.deaths]
        failures += compare(machine, reference, others, rest, hashes)
    return failures, len(rest)
