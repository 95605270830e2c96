#!/usr/bin/env python3
"""Writes the guest's initrd: make-initrd.py BUSYBOX INIT OUTPUT

A gzip-compressed cpio archive in the "newc" format the kernel reads (Linux
Documentation/driver-api/early-userspace/buffer-format.rst). Written by hand
because device nodes need no root this way, and so that the same input always
gives the same bytes.
"""

import gzip
import stat
import sys

DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]
APPLETS = """
    ash awk base64 basename cat chmod chown cmp cp cttyhack cut date dd df diff dirname dmesg du
    echo env expr false find free grep gunzip gzip halt head hexdump hostname id kill ln ls md5sum
    mkdir mkfifo mknod more mount mv nc pidof ping ps pwd readlink reboot rm rmdir sed seq setsid
    sh sha256sum sleep sort stat stty sync tail tar tee test time timeout top touch tr true tty
    umount uname uniq uptime vi wc which xargs yes zcat poweroff
""".split()
ETC = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
}


class Cpio:
    """One archive being written; members get inode numbers in the order they come."""

    def __init__(self):
        self.data = bytearray()
        self.members = 0

    def add(self, name, mode, content=b"", device=(0, 0)):
        self.members += 1
        name = name.encode() + b"\0"
        fields = [
            self.members,  # inode
            mode,
            0,  # uid
            0,  # gid
            1,  # links
            0,  # mtime
            len(content),
            0,  # device the file is on: major, minor
            0,
            device[0],  # device the file is: major, minor
            device[1],
            len(name),
            0,  # checksum, unused in this format
        ]
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.pad()
        self.data += content
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def main():
    busybox, init, output = sys.argv[1:]
    archive = Cpio()
    for name in DIRECTORIES:
        archive.add(name, stat.S_IFDIR | 0o755)
    # The kernel opens this one for init before anything is mounted.
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    with open(busybox, "rb") as file:
        archive.add("bin/busybox", stat.S_IFREG | 0o755, file.read())
    for applet in sorted(APPLETS):
        archive.add("bin/" + applet, stat.S_IFLNK | 0o777, b"busybox")
    for name, text in ETC.items():
        archive.add(name, stat.S_IFREG | 0o644, text.encode())
    with open(init, "rb") as file:
        archive.add("init", stat.S_IFREG | 0o755, file.read())
    with open(output, "wb") as file:
        file.write(gzip.compress(archive.finish(), mtime=0))


if __name__ == "__main__":
    main()
