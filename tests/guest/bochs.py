"""Bochs as a machine: starts a kernel by GRUB from an ISO image and gives what it prints on COM1.

Used by tests/guest/run (a guest as the machine's only program) and tests/ring0/bochs (the VMM with a
guest). Needs `host/scripts/install-packages.sh bochs`.
"""

import os
import pathlib
import pty
import re
import subprocess
import time

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
POWER_OFF = "ACPI control: soft power off"

CONFIG = """config_interface: textconfig
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
megs: {megabytes}
cpu: model={cpu}, ips={ips}
clock: sync=none
ata0-master: type=cdrom, path={folder}/iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={folder}/serial
log: {folder}/log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
speaker: enabled=0
"""


def _run(folder, seconds):
    """Runs the machine until it ends. Its terminal display needs a terminal; nobody looks at it."""
    (folder / "commands").write_text("c\nquit\n")  # Debian's Bochs stops in its debugger first
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["bochs", "-q", "-f", folder / "config", "-rc", folder / "commands"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env={**os.environ, "TERM": "linux"})
    os.close(slave)
    os.set_blocking(master, False)
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                while os.read(master, 65536):
                    pass
            except OSError:
                pass
            time.sleep(0.05)
    finally:
        ended = process.poll() is not None
        if not ended:
            process.kill()
            process.wait()
        os.close(master)
    return ended


def _read(path):
    return path.read_text(encoding="latin-1").replace("\r", "") if path.exists() else ""


def boot(folder, iso_arguments, cpu, megabytes, seconds, ips=50000000):
    """Boots make-iso.sh's image of these arguments in the empty `folder`: (lines on COM1, how it went
    wrong or None). ips: instructions in a second of the machine's time."""
    folder = pathlib.Path(folder)
    subprocess.run([TREE / "host/scripts/make-iso.sh", folder / "iso", *iso_arguments], check=True)
    (folder / "config").write_text(CONFIG.format(folder=folder, cpu=cpu, megabytes=megabytes, ips=ips))
    ended = _run(folder, seconds)
    lines, log = _read(folder / "serial").splitlines(), _read(folder / "log")
    if not ended:
        return lines, f"not done in {seconds} s"
    if POWER_OFF not in log:
        panic = re.search(r">>PANIC<< (.*)", log)
        return lines, f"Bochs ended: {panic.group(1) if panic else 'for no known reason'}"
    return lines, None
