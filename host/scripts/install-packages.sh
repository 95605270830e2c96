#!/bin/bash
# Installs the Debian packages that building, testing and checking need. Needs root (or sudo) and
# the network only when something is missing.
#   install-packages.sh          what everything but the following needs
#   install-packages.sh bochs    what tests/ring0/bochs needs besides
#   install-packages.sh afl      what tests/fuzz/afl/run needs besides
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

packages=(
    # build
    gcc make binutils libc6-dev libcapstone-dev libdwarf-dev libelf-dev libseccomp-dev pkg-config
    # decoder, guest images
    apt dpkg dpkg-dev debian-archive-keyring ca-certificates xz-utils gzip cpio python3
    # tests, bench
    libcmocka-dev nasm qemu-system-x86 util-linux gnuplot-nox bzip2
    # firmware and boot loader in a virtual machine
    seabios grub-common grub-pc-bin mtools xorriso grub-invaders memtest86+
    # check
    clang clang-format clang-tidy libclang-rt-14-dev
)

case ${1-} in
bochs) packages=(bochs bochs-term bochsbios vgabios) ;;
afl) packages=(afl++) ;;
esac

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "installing: ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo: install these packages by hand"
    as_root=(sudo)
fi

install_once() {
    "${as_root[@]}" apt-get -q update || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends -o Acquire::Retries=3 install "${missing[@]}"
}
retry install_once
