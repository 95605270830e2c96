#!/bin/bash
# Makes an initrd that is a whole Debian i386 system, for the boot measurement of bench/:
#
#   fetch-debian.sh OUTPUT_DIRECTORY      writes debian.cpio (without /dev/console, which needs root)
#
# systemd as init, udev, D-Bus, logind, a login prompt on the serial port: what a minimal installation
# starts. The packages are unpacked, not installed, so no root is needed; what their scripts would have made
# and the boot needs is made here. Downloads are cached; remove the cache's debian folder to get newer
# packages.
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

[ $# = 1 ] || die "usage: $0 OUTPUT_DIRECTORY"
output=$1
downloads=$RINGONE_CACHE/debian

packages=(
    base-files base-passwd bash coreutils dash debianutils findutils grep gzip hostname login mount
    ncurses-base passwd procps sed tar util-linux
    systemd systemd-sysv udev dbus kmod iproute2 cron
)

fetch() {
    rm -rf "$downloads.part"
    mkdir -p "$downloads.part/partial"
    private_apt_setup debian i386 deb
    # Nothing is installed; apt only finds out what belongs to it.
    retry private_apt get -q -y --no-install-recommends --download-only \
        -o Dir::Cache::Archives="$downloads.part" install "${packages[@]}" >&2
    rm -rf "$downloads"
    mv "$downloads.part" "$downloads"
}

[ -d "$downloads" ] || fetch

tree=$output/tree
rm -rf "$tree"
# /bin, /lib and /sbin are links, as in every installation since Debian 12.
mkdir -p "$tree"/usr/{bin,lib,sbin}
ln -s usr/bin usr/lib usr/sbin "$tree/"
for package in "$downloads"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$tree" --no-same-owner --keep-directory-symlink \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
        --exclude='./usr/share/info/*' --exclude='./usr/lib/udev/hwdb.d/*' --exclude='*/gconv/*'
done
mkdir -p "$tree"/{dev,proc,sys,run,tmp,root,var/log,var/lib/systemd,etc}
for table in passwd group; do
    cp "$tree/usr/share/base-passwd/$table.master" "$tree/etc/$table"
done
# The accounts that packages' scripts add.
cat >>"$tree/etc/passwd" <<END
messagebus:x:100:100::/nonexistent:/usr/sbin/nologin
systemd-network:x:101:101::/:/usr/sbin/nologin
systemd-timesync:x:102:102::/:/usr/sbin/nologin
END
printf '%s:x:%d:\n' messagebus 100 systemd-network 101 systemd-timesync 102 \
    systemd-journal 103 input 104 kvm 105 render 106 sgx 107 >>"$tree/etc/group"
ln -sf dash "$tree/usr/bin/sh"
ln -sf usr/sbin/init "$tree/init"
echo ringone >"$tree/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$tree/etc/machine-id"
: >"$tree/etc/fstab"
ln -sf /usr/share/zoneinfo/UTC "$tree/etc/localtime"
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
ln -s /lib/systemd/system/cron.service "$tree/etc/systemd/system/multi-user.target.wants/"

(cd "$tree" && find . -mindepth 1 | LC_ALL=C sort |
    cpio -o -H newc --quiet --owner=0:0) >"$output/debian.cpio"
rm -rf "$tree"
touch "$output/stamp"
