#!/bin/bash
# Makes the guest images: fetch-guest.sh OUTPUT_DIRECTORY
#
#   vmlinuz-686, vmlinuz-686-pae   Debian's i386 kernels as packaged, nothing changed
#   initrd.gz                      Debian's static i386 busybox and guest-init
#   busybox                        the same busybox, for native runs on the host
#
# Downloads are cached; remove the cache's guest folder to get newer kernels.
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

[ $# = 1 ] || die "usage: $0 OUTPUT_DIRECTORY"
output=$1
downloads=$RINGONE_CACHE/guest
scripts=$(dirname "$0")
flavours=(686 686-pae)

# kernel_package FLAVOUR: what the metapackage linux-image-FLAVOUR stands for today.
kernel_package() {
    private_apt cache depends "linux-image-$1" |
        sed -n "s/^ *Depends: \(linux-image-[0-9].*-$1\)$/\1/p" | head -n 1
}

fetch() {
    local part=$downloads.part package flavour
    rm -rf "$part"
    mkdir -p "$part"
    private_apt_setup guest i386 deb
    for flavour in "${flavours[@]}"; do
        package=$(kernel_package "$flavour")
        [ -n "$package" ] || die "linux-image-$flavour names no kernel"
        private_apt_download "$part" "$package"
        # Only the kernel is kept: the modules are most of the package and nothing loads them.
        dpkg-deb --fsys-tarfile "$part/$package"_*.deb |
            tar -x -O --wildcards './boot/vmlinuz-*' >"$part/vmlinuz-$flavour"
        rm "$part/$package"_*.deb
    done
    private_apt_download "$part" busybox-static
    dpkg-deb --fsys-tarfile "$part"/busybox-static_*.deb | tar -x -O ./bin/busybox >"$part/busybox"
    chmod 755 "$part/busybox"
    rm "$part"/busybox-static_*.deb
    rm -rf "$downloads"
    mv "$part" "$downloads"
}

[ -d "$downloads" ] || fetch

mkdir -p "$output"
cp "$downloads"/vmlinuz-* "$downloads/busybox" "$output/"
python3 "$scripts/make-initrd.py" "$output/busybox" "$scripts/guest-init" "$output/initrd.gz"
touch "$output/stamp"
