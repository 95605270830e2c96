#!/bin/bash
# Debian's static busybox for amd64, of the guest's version: fetch-busybox64.sh OUTPUT_DIRECTORY
#
# bench/ runs it natively where the host's kernel runs no 32-bit programs. The download is cached.
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

[ $# = 1 ] || die "usage: $0 OUTPUT_DIRECTORY"
download=$RINGONE_CACHE/busybox64

fetch() {
    local part=$download.part
    rm -rf "$part"
    mkdir -p "$part"
    private_apt_setup busybox64 amd64 deb
    private_apt_busybox "$part"
    rm -rf "$download"
    mv "$part" "$download"
}

[ -x "$download/busybox" ] || fetch
mkdir -p "$1"
cp "$download/busybox" "$1/"
