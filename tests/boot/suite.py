"""A list of tests and the loop that runs those whose names are asked for. Shared by the boot runners."""

import subprocess
import sys
import time

from machine import MachineError

FAILURES = (MachineError, OSError, ValueError, IndexError, subprocess.SubprocessError)
LAST_LINES = 15  # of a machine's output, shown with a failure


class Suite:
    """tests: (name, function, arguments). machines: those of the running test, for its failure report."""

    def __init__(self, title, prefix=""):
        self.title, self.prefix = title, prefix
        self.tests = []
        self.machines = []

    def test(self, *parameters):
        """Registers a test, once for each parameter, or once."""

        def register(function):
            for parameter in parameters or [None]:
                name = self.prefix + function.__name__ + (f"[{parameter}]" if parameters else "")
                self.tests.append((name, function, [parameter] if parameters else []))
            return function

        return register

    def run(self, name, function, arguments):
        """Whether the test passed; says so."""
        self.machines.clear()
        begin = time.monotonic()
        try:
            function(*arguments)
        except FAILURES as error:
            print(f"FAILED  {name}: {error}")
            for machine in self.machines:
                tail = machine.output.splitlines()[-LAST_LINES:]
                print("".join(f"        | {line}\n" for line in tail), end="", flush=True)
            return False
        print(f"ok      {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        return True

    def main(self):
        """The tests that the command line asks for; the exit status."""
        wanted = sys.argv[1:]
        results = [self.run(*test) for test in self.tests if not wanted or any(word in test[0] for word in wanted)]
        passed = sum(results)
        print(f"{self.title}: {passed} passed, {len(results) - passed} failed")
        return 0 if results and all(results) else 1
