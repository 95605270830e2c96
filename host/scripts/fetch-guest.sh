#!/bin/bash
# Makes the guest images: fetch-guest.sh OUTPUT_DIRECTORY
#
#   vmlinuz-686, vmlinuz-686-pae   Debian's i386 kernels as packaged, nothing changed
#   modules-686/*.ko               what the first one needs to drive an IDE disk
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
modules=(crct10dif_common crct10dif_generic crc-t10dif crc64 crc64-rocksoft crc64_rocksoft_generic
    t10-pi scsi_common scsi_mod libata ata_piix sd_mod)
modules=("${modules[@]/#/*/}") # wherever they stand in the package

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
        # The modules are most of the package, and nothing loads the others.
        if [ "$flavour" = 686 ]; then
            mkdir "$part/modules-$flavour"
            dpkg-deb --fsys-tarfile "$part/$package"_*.deb |
                tar -x -C "$part/modules-$flavour" --transform 's|.*/||' --wildcards \
                    "${modules[@]/%/.ko}"
        fi
        dpkg-deb --fsys-tarfile "$part/$package"_*.deb |
            tar -x -O --wildcards './boot/vmlinuz-*' >"$part/vmlinuz-$flavour"
        rm "$part/$package"_*.deb
    done
    private_apt_busybox "$part"
    rm -rf "$downloads"
    mv "$part" "$downloads"
}

[ -d "$downloads/modules-686" ] || fetch

mkdir -p "$output"
cp -r "$downloads"/vmlinuz-* "$downloads"/modules-686 "$downloads/busybox" "$output/"
python3 "$scripts/make-initrd.py" "$output/busybox" "$scripts/guest-init" "$output/initrd.gz"
touch "$output/stamp"
