"""A virtual machine on a pseudo-terminal, as a user at a terminal has it.

Used by the boot tests and by bench/. The machine is ringone, or QEMU as the
reference: both take the options used here under the same names.
"""

import base64
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUEST = os.environ.get("GUEST", os.path.join(ROOT, "build/guest"))
RINGONE = os.environ.get("RINGONE", os.path.join(ROOT, "build/ringone"))
QEMU = ["qemu-system-i386", "-accel", "tcg"]
# The waits below are for the process host; an emulated machine under the monitor is slower.
PATIENCE = {"ring0": 5}.get(os.environ.get("REFERENCE"), 1) * int(os.environ.get("PATIENCE", "1"))

INIT_REACHED = "ringone: init reached"
PROMPT = r"^/\S* # "


def monitor(name):
    """The command that starts a machine monitor: "ringone", "ring0" (its other host) or "qemu"."""
    return {"ringone": [RINGONE], "ring0": [RINGONE, "-accel", "ring0"], "qemu": QEMU}[name]


REFERENCE = os.environ.get("REFERENCE", "ringone")
# ringone on the host that is asked for, and how -accel calls that host.
MONITOR = monitor(REFERENCE)
ACCEL = "ring0" if REFERENCE == "ring0" else "process"


def run_parameter(script):
    """The kernel parameter that makes guest-init run a shell script."""
    return "run=" + base64.b64encode(script.encode()).decode()


def boot_options(kernel="686", memory=256, append="", guest=GUEST):
    return [
        "-m", str(memory),
        "-kernel", os.path.join(guest, "vmlinuz-" + kernel),
        "-initrd", os.path.join(guest, "initrd.gz"),
        "-append", ("console=ttyS0 " + append).strip(),
        "-nographic",
    ]  # fmt: skip


class MachineError(Exception):
    """The machine did not do what was expected; the text says what."""


# A machine ends with its test, however that ends. Signals that nohup or a script's "&" has ignored, and that a monitor
# would rightly go on to ignore, mean there what they do at a prompt.
TIED = ["env", "--default-signal=HUP,INT,QUIT,TERM", "setpriv", "--pdeathsig", "TERM"]


class Machine:
    """One running machine. Use as a context manager: leaving it ends the process."""

    def __init__(self, command, tick=None):
        """Starts the command. tick, if given, is called about every second while waiting."""
        self.output = ""  # everything it has said
        self.seen = 0  # how much of that expect() is past
        self.tick = tick
        self.master, self.slave = pty.openpty()
        self.terminal_before = termios.tcgetattr(self.slave)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            TIED + list(command),
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads a session, see start_new_session
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def read_some(self, seconds):
        """Waits at most that long for output. False when there was none."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.output += os.read(self.master, 65536).decode("utf-8", "replace").replace("\r", "")
        return True

    def expect(self, pattern, seconds=60):
        """Waits for the regular expression in what has not been matched yet.

        Returns the match and the host's monotonic clock when it was there.
        """
        pattern = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            match = pattern.search(self.output, self.seen)
            if match:
                self.seen = match.end()
                return match, time.monotonic()
            left = deadline - time.monotonic()
            ended = self.process.poll() is not None
            if self.tick:
                self.tick()
            if left <= 0:
                raise MachineError(f"no {pattern.pattern!r} in {seconds} s")
            if not self.read_some(0 if ended else min(left, 1)) and ended:
                status = self.process.returncode
                raise MachineError(f"ended with status {status} before {pattern.pattern!r}")

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.master, data[:256]) :]

    def command(self, text, seconds=60):
        """Types a shell command at a prompt; returns what it printed, up to the next prompt."""
        self.send(text + "\n")
        self.expect(re.escape(text) + r"\n", seconds)
        start = self.seen
        match, _ = self.expect(PROMPT, seconds)
        return self.output[start : match.start()]

    def wait(self, seconds=60):
        """Waits for the machine to end; returns its exit status."""
        deadline = time.monotonic() + seconds * PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise MachineError(f"still running after {seconds} s")
            self.read_some(0.05)
        while self.read_some(0):
            pass
        return self.process.returncode

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def terminal_restored(self):
        return termios.tcgetattr(self.slave) == self.terminal_before
