"""What the figures were measured on: machine, versions, settings."""

import os
import platform
import re
import subprocess

import build
from machine import GUEST, RINGONE, ROOT, monitor


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "not installed"
    return (done.stdout or done.stderr).strip().split("\n")[0]


def field(path, pattern):
    try:
        with open(path, encoding="utf-8") as file:
            match = re.search(pattern, file.read(), re.M)
    except OSError:
        return "unknown"
    return match.group(1) if match else "unknown"


def commit():
    """The tree's commit, with + when files differ from it."""
    git = ["git", "-C", ROOT]
    name = first_line([*git, "rev-parse", "--short=12", "HEAD"])
    changed = first_line([*git, "status", "--porcelain", "--untracked-files=no"])
    return name + ("+" if changed else "")


def guest_kernel(kernel):
    """The version in a bzImage's header (Linux boot protocol 2.00, kernel_version)."""
    with open(os.path.join(GUEST, "vmlinuz-" + kernel), "rb") as file:
        image = file.read(0x8000)
    start = int.from_bytes(image[0x20E:0x210], "little") + 0x200
    return image[start : image.index(b"\0", start)].decode("ascii", "replace").split(" ")[0]


def describe(settings):
    """Pairs of (what, value)."""
    memory_kib = int(field("/proc/meminfo", r"^MemTotal: +(\d+)"))
    return [
        ("CPU", f"{field('/proc/cpuinfo', '^model name.*: (.*)$')}, {os.cpu_count()} CPUs"),
        ("memory", f"{memory_kib / 1048576:.1f} GiB"),
        ("hypervisor", "yes" if "hypervisor" in field("/proc/cpuinfo", "^flags.*: (.*)$") else "no"),
        ("host kernel", platform.release()),
        ("host system", field("/etc/os-release", '^PRETTY_NAME="(.*)"')),
        ("ringone", f"{first_line([RINGONE, '-version'])}, commit {commit()}"),
        ("QEMU", first_line([*monitor("qemu")[:1], "--version"])),
        ("QEMU command", " ".join(monitor("qemu"))),
        ("compiler", first_line([build.compiler(), "--version"])),
        ("flags of the workloads", " ".join(build.FLAGS)),
        ("guest kernel", f"Debian {guest_kernel(settings.kernel)}"),
        ("guest memory", f"{settings.memory} MiB"),
        ("repetitions", str(settings.repeat)),
        ("size of the work", "full" if settings.divisor == 1 else f"1/{settings.divisor}"),
        ("warm-up", "a tenth of the work before each row" if settings.warm_up else "none"),
        ("load average before the run", f"{settings.load:.2f}"),
    ]
