"""Boots: the kernel to init, and a whole Debian to its login prompt (host/scripts/fetch-debian.sh)."""

import gzip
import os
import stat
import subprocess

import build
import systems
from machine import GUEST, INIT_REACHED, ROOT, run_parameter
from rows import BOOT, Row

DEBIAN_MEMORY = 1024  # MiB; the system's files are in it
DEBIAN = Row("boot Debian to login", "boot Debian", "", unit="debian")


class Boot:
    """The unit of run.py: to init, with the ordinary initrd."""

    def __init__(self):
        self.all_rows = [BOOT]

    def rows(self, system):
        return [] if system.startswith("native") else self.all_rows

    def run(self, system, rows, settings, say, tick):
        command = systems.guest_command(
            system, settings, os.path.join(GUEST, "initrd.gz"), run_parameter("true"), settings.memory
        )
        end = "ringone: run ended, status 0"
        yield rows[0], systems.boot(system, rows[0], command, INIT_REACHED, end, say, tick)


class Debian:
    """The unit of run.py: systemd and the services of a minimal installation."""

    def __init__(self):
        self.all_rows = [DEBIAN]

    def rows(self, system):
        return [] if system.startswith("native") else self.all_rows

    def run(self, system, rows, settings, say, tick):
        say("userland")
        try:
            initrd = self.initrd(settings)
        except (OSError, subprocess.CalledProcessError) as error:
            yield rows[0], {"failed": f"no userland: {error}"}
            return
        command = systems.guest_command(system, settings, initrd, "", DEBIAN_MEMORY)
        yield rows[0], systems.boot(system, rows[0], command, "^ringone login: ", None, say, tick)

    @staticmethod
    def initrd(settings):
        """Makes the system's files if they are not there; returns their archive."""
        folder = os.path.join(settings.output, "debian")
        script = os.path.join(ROOT, "host/scripts/fetch-debian.sh")
        initrd = os.path.join(folder, "initrd")
        if build.newer(initrd, [script]):
            return initrd
        build.run([script, folder])
        archive = build.cpio()
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        os.replace(os.path.join(folder, "debian.cpio"), initrd + ".part")
        with open(initrd + ".part", "ab") as file:
            file.write(bytes(-file.tell() % 4))
            file.write(gzip.compress(archive.finish(), mtime=0))
        os.replace(initrd + ".part", initrd)
        return initrd
