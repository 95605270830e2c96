"""Real programs: Debian's i386 packages, unpacked (host/scripts/fetch-userland.sh).

In a guest the files are a second initrd; natively they are a chroot of the same files, made in a mount
namespace of its own, which needs no root where user namespaces are allowed.
"""

import os
import re
import shutil
import subprocess

import build
import systems
from machine import GUEST, ROOT, Machine, MachineError
from rows import Row

GUEST_MEMORY = 1024  # MiB; the guest's files are in it

_AGAIN = "i=0; while [ $i -lt {n} ]; do %s || exit 1; i=$((i+1)); done"
_COMPILE = "gcc -O2 -I/usr/src/zlib -c /usr/src/zlib/deflate.c -o /tmp/deflate.o"

ROWS = [
    Row("gcc -O2 -c", "real", _AGAIN % _COMPILE + "; sha256sum /tmp/deflate.o", 4, unit="programs"),
    Row("python3", "real", "python3 $P/mix.py {n}", 60, unit="programs"),
    Row("perl", "real", "perl $P/mix.pl {n}", 100, unit="programs"),
    Row("sqlite3", "real", _AGAIN % "sqlite3 :memory: '.read /bench/mix.sql'", 10, unit="programs"),
    Row(
        "openssl sha256, 100 MB",
        "real",
        "openssl speed -seconds 1 -bytes 16384 -elapsed -mr sha256 2>&1",
        rate=re.compile(r"^\+F:\d+:sha256:([\d.]+)", re.M),
        work=1e8,
        unit="programs",
    ),
    Row(
        "openssl rsa2048, 100 times",
        "real",
        "openssl speed -seconds 1 -elapsed -mr rsa2048 2>&1",
        rate=re.compile(r"^\+F2:\d+:2048:([\d.]+)", re.M),
        work=100,
        unit="programs",
    ),
]

SETUP = "export PATH=/usr/bin:/bin LC_ALL=C\ncd /tmp\n"  # in front of the script

_NATIVE = """set -e
mount --rbind /dev {tree}/dev
mount --rbind /proc {tree}/proc
mount -t tmpfs tmpfs {tree}/tmp
mount --bind {bench} {tree}/bench
exec chroot {tree} /bin/sh /bench/run
"""


def prepare(settings):
    """Makes the userland if it is not there; returns (folder, program files)."""
    folder = os.path.join(settings.output, "userland")
    script = os.path.join(ROOT, "host/scripts/fetch-userland.sh")
    if not build.newer(os.path.join(folder, "stamp"), [script]):
        build.run([script, GUEST, folder])
    mixes = os.path.join(build.BENCH, "programs")
    files = [os.path.join(mixes, name) for name in sorted(os.listdir(mixes))]
    stamp = [path for path in settings.programs if path.endswith("/stamp")]
    return folder, files + stamp


class Programs:
    """The unit of run.py."""

    def __init__(self):
        self.all_rows = ROWS

    def rows(self, system):
        return [] if system == "native64" else self.all_rows

    def run(self, system, rows, settings, say, tick):
        say("userland")
        try:
            folder, files = prepare(settings)
        except (OSError, subprocess.CalledProcessError) as error:
            for row in rows:
                yield row, {"failed": f"no userland: {error}"}
            return
        text = SETUP + systems.script(rows, settings.divisor, settings.warm_up)
        if system == "native":
            yield from self._run_native(folder, files, text, rows, say, tick)
            return
        initrd = os.path.join(settings.output, f"initrd-{system}")
        build.initrd(initrd, text, files, [os.path.join(folder, "userland.cpio")])
        yield from systems.run_in_guest(system, rows, settings, initrd, GUEST_MEMORY, say, tick)

    def _run_native(self, folder, files, text, rows, say, tick):
        bench = os.path.join(folder, "bench")
        shutil.rmtree(bench, ignore_errors=True)
        os.makedirs(bench)
        for path in files:
            shutil.copy(path, bench)
        with open(os.path.join(bench, "run"), "w", encoding="utf-8") as file:
            file.write(text)
        setup = _NATIVE.format(tree=os.path.join(folder, "tree"), bench=bench)
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        try:
            with Machine(["unshare", *user, "--mount", "sh", "-c", setup], tick) as machine:
                yield from systems.follow("native", rows, machine, say)
        except (OSError, MachineError) as error:
            yield rows[0], {"failed": f"no chroot: {error}"}
