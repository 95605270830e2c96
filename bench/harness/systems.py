"""Running rows on one system: the host itself, ringone, or QEMU's translator.

"native64" stands in for "native" where the host's kernel runs no 32-bit programs: the same sources as
64-bit code with the same sizes of data, and busybox of the same version; only what computes.

All systems get the same shell script. It warms each row up with a smaller count, then prints a
marker line, runs it and prints another. A row's time is by the clock of the system it runs on, read at
the markers; the host's clock at the same lines must agree, or the row has failed.
"""

import os
import re
import shutil
import subprocess
import tempfile

import build
from machine import ROOT, GUEST, INIT_REACHED, RINGONE, Machine, MachineError, boot_options, monitor
from machine import run_parameter
from rows import COMPUTE, NOT_AS_64_BIT_CODE, ZEROS_MIB

SECONDS_PER_ROW = 300
SECONDS_PER_BOOT = 120
WARM_UP_DIVISOR = 10
# How far a system's clock and the host's may be apart over a row: what a loaded host takes to read a
# line, and a part of the time.
CLOCK_SECONDS = 0.15
CLOCK_PART = 0.03
APPLETS = ["sha256sum", "gzip", "true", "dd", "wc", "grep", "mkdir", "mount"]


class RowFailed(Exception):
    """One row did not work; others may."""


def script(rows, divisor, warm_up):
    lines = ["P=${P:-/bench}; B=${B:-/bin}; Z=${Z:-/tmp/z}"]
    # A guest's file system has no tmpfs yet.
    lines += ["[ -d /dev/shm ] || { $B/mkdir /dev/shm; $B/mount -t tmpfs tmpfs /dev/shm; }"]
    mib = max(1, ZEROS_MIB // divisor)
    lines += [f"$B/dd if=/dev/zero of=$Z bs=1048576 count={mib} 2>/dev/null"]
    for number, row in enumerate(rows):
        less = divisor * WARM_UP_DIVISOR
        if warm_up and row.size(less) < row.size(divisor):
            lines.append(f"{{ {row.text(less)}; }} >/dev/null 2>&1")
        lines.append(f"$P/stamp {number} begin; {row.text(divisor)}; $P/stamp {number} end $?")
    lines.append("$B/busybox sleep 1")  # the last row's memory is read meanwhile
    return "\n".join(lines) + "\n"


def measure(row, number, machine):
    """Follows one row's markers; returns (seconds, output)."""
    first, begin = machine.expect(rf"^begin {number} ([\d.]+)\n", SECONDS_PER_ROW)
    start = machine.seen
    last, end = machine.expect(rf"^end {number} ([\d.]+) (\d+)\n", SECONDS_PER_ROW)
    output = machine.output[start : last.start()]
    if last.group(2) != "0":
        raise RowFailed(f"status {last.group(2)}: {output.strip()[-200:]}")
    seconds = float(last.group(1)) - float(first.group(1))
    if abs(seconds - (end - begin)) > max(CLOCK_SECONDS, CLOCK_PART * seconds):
        raise RowFailed(f"took {seconds:.3f} s by its own clock, {end - begin:.3f} s by the host's")
    if row.rate is None:
        return seconds, output
    found = row.rate.search(output)
    if not found:
        raise RowFailed(f"no rate in {output.strip()[-200:]!r}")
    return row.work / float(found.group(1)), ""


def memory_beyond_guest(system, pid):
    """MiB of memory ringone has beside the guest's, or None when that cannot be seen, as after its end.

    The proportional set size: memory mapped twice counts once. Page tables count.
    """
    if system != "ringone":
        return None
    kib, seen = 0, False
    try:
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
            ours = True
            for line in file:
                seen = True
                word = line.split(None, 5)
                if re.match(r"[0-9a-f]+-", word[0]):
                    ours = not (len(word) > 5 and "guest-ram" in word[5])
                elif ours and word[0] == "Pss:":
                    kib += int(word[1])
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            kib += sum(int(line.split()[1]) for line in file if line.startswith("VmPTE:"))
    except OSError:
        return None
    return kib / 1024 if seen else None


def guest_command(system, settings, initrd, append, memory):
    options = boot_options(settings.kernel, memory, "quiet " + append)
    options[options.index("-initrd") + 1] = initrd
    command = monitor(system) + options
    if system == "qemu":
        command += ["-nic", "none"]  # a network card's boot ROM would only cost it time
    return command


def follow(system, rows, machine, say):
    """Yields (row, fields for the samples) until the script's end. A machine that died or hangs
    fails the row it is at, and ends this; the caller starts again with the rows that are left."""
    for number, row in enumerate(rows):
        say(row.name)
        fields = {}
        try:
            fields["seconds"], fields["output"] = measure(row, number, machine)
        except RowFailed as error:
            fields["failed"] = str(error)
        except MachineError as error:
            tail = machine.output[-300:].strip()
            yield row, {"failed": f"{error}; last output: {tail!r}"}
            return
        memory = memory_beyond_guest(system, machine.process.pid)
        if memory is not None:
            fields["vmm_mib"] = round(memory, 1)
        yield row, fields


def run_in_guest(system, rows, settings, initrd, memory, say, tick):
    """Boots and follows /bench/run of the initrd."""
    command = guest_command(system, settings, initrd, run_parameter("sh /bench/run"), memory)
    with Machine(command, tick) as machine:
        say("booting")
        try:
            machine.expect(INIT_REACHED, SECONDS_PER_BOOT)
        except MachineError as error:
            for row in rows:
                yield row, {"failed": f"did not boot: {error}"}
            return
        yield from follow(system, rows, machine, say)


def run_guest(system, rows, settings, say, tick):
    initrd = os.path.join(settings.output, f"initrd-{system}")
    build.initrd(initrd, script(rows, settings.divisor, settings.warm_up), settings.programs)
    yield from run_in_guest(system, rows, settings, initrd, settings.memory, say, tick)


def run_native(system, rows, settings, say, tick):
    yield from _run_on_host(system, rows, settings, settings.programs, os.path.join(GUEST, "busybox"), say, tick)


def run_native64(system, rows, settings, say, tick):
    say("programs")
    folder = os.path.join(settings.output, "native64")
    paths = {row.command.split()[0] for row in rows}
    try:
        build.run([os.path.join(ROOT, "host/scripts/fetch-busybox64.sh"), folder])
        programs = build.programs64(folder, {os.path.basename(p) for p in paths if p.startswith("$P/")})
    except (OSError, subprocess.CalledProcessError) as error:
        for row in rows:
            yield row, {"failed": f"no 64-bit programs: {error}"}
        return
    yield from _run_on_host(system, rows, settings, programs, os.path.join(folder, "busybox"), say, tick)


def rows64(rows):
    """Those that native64 has."""
    return [row for row in rows if row.group in COMPUTE and row.name not in NOT_AS_64_BIT_CODE]


def _run_on_host(system, rows, settings, programs, busybox_file, say, tick):
    with tempfile.TemporaryDirectory() as folder:
        busybox = os.path.join(folder, "busybox")
        shutil.copy(busybox_file, busybox)
        for applet in APPLETS:
            os.symlink("busybox", os.path.join(folder, applet))
        run = os.path.join(folder, "run")
        with open(run, "w", encoding="utf-8") as file:
            file.write(script(rows, settings.divisor, settings.warm_up))
        places = [f"P={os.path.dirname(programs[0])}", f"B={folder}", f"Z={folder}/z"]
        with Machine(["env", *places, busybox, "sh", run], tick) as machine:
            yield from follow(system, rows, machine, say)


RUNNERS = {"native": run_native, "native64": run_native64, "ringone": run_guest, "qemu": run_guest}


def boot(system, row, command, landmark, end, say, tick):
    """From the start of the process to a line on the console; for qemu that includes its BIOS. `end`, if
    there is one, is the line after which the guest turns itself off: ringone then says what
    translating cost."""
    if system == "ringone" and end:
        command = [*command, "-stats"]
    say(row.name)
    with Machine(command, tick) as machine:
        try:
            _, reached = machine.expect(landmark, SECONDS_PER_BOOT)
            fields = {"seconds": reached - machine.started}
            memory = memory_beyond_guest(system, machine.process.pid)
            if memory is not None:
                fields["vmm_mib"] = round(memory, 1)
            if end:
                machine.expect(end, SECONDS_PER_BOOT)
                machine.wait(SECONDS_PER_BOOT)
        except MachineError as error:
            return {"failed": f"{error}; last output: {machine.output[-300:].strip()!r}"}
        translating = re.search(r"^ +translating +([\d.]+) +([\d.]+)%", machine.output, re.M)
        instructions = re.search(r"^ +guest instructions +(\d+)", machine.output, re.M)
        if translating and instructions:
            fields["translate_seconds"] = float(translating.group(1))
            fields["translate_percent"] = float(translating.group(2))
            fields["translated"] = int(instructions.group(1))
        return fields


def unavailable(system):
    """Why the system cannot run here, or None."""
    if system == "ringone":
        return None if os.path.exists(RINGONE) else f"{RINGONE} is not built"
    if system == "qemu":
        found = shutil.which(monitor("qemu")[0])
        return None if found else "qemu-system-i386 is not installed"
    if system == "native64":
        return None
    try:
        with Machine([os.path.join(GUEST, "busybox"), "true"]) as machine:
            if machine.wait(10) == 0:
                return None
            return "32-bit programs do not run on this host"
    except (OSError, MachineError) as error:
        return f"32-bit programs do not run on this host: {error}"
