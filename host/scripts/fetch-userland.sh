#!/bin/bash
# Makes the Debian i386 userland that bench/ runs real programs in: 
#   fetch-userland.sh GUEST_DIRECTORY OUTPUT_DIRECTORY
#
#   tree/            the files, for native runs in a chroot
#   userland.cpio    the same as an initrd, to follow the guest's ordinary one
#
# The packages are unpacked, not installed: their scripts do not run and no root is needed. What no
# measured program reads (manuals, translations, static libraries) is left out, because a guest keeps
# an initrd in memory. Downloads are cached; remove the cache's userland folder to get newer packages.
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

[ $# = 2 ] || die "usage: $0 GUEST_DIRECTORY OUTPUT_DIRECTORY"
guest=$1
output=$2
downloads=$RINGONE_CACHE/userland

packages=(
    libc6 libgcc-s1 zlib1g libcrypt1 libtinfo6 libzstd1
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libexpat1
    perl-base
    openssl libssl3
    sqlite3 libsqlite3-0 libreadline8
    gcc-12 cpp-12 libgcc-12-dev libgmp10 libmpfr6 libmpc3 libisl23
    binutils-i686-linux-gnu libbinutils libctf-nobfd0 libctf0 libjansson4
    libc6-dev linux-libc-dev
)

fetch() {
    local part=$downloads.part
    rm -rf "$part"
    mkdir -p "$part"
    private_apt_setup userland i386 deb deb-src
    private_apt_download "$part" "${packages[@]}"
    private_apt_source "$part" zlib
    rm -rf "$downloads"
    mv "$part" "$downloads"
}

[ -d "$downloads" ] || fetch

tree=$output/tree
rm -rf "$tree"
mkdir -p "$tree"/{bin,bench,dev,proc,sys,tmp,etc}
for package in "$downloads"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$tree" --no-same-owner \
        --exclude='./usr/share/*' --exclude='*.a' --exclude='*san*' --exclude='*/plugin/*' \
        --exclude='./usr/lib/gcc/*/lto*' --exclude='*-lto-dump-*' --exclude='*-ld.gold' --exclude='*-dwp' \
        --exclude='*/config-3.11-*' --exclude='*/gconv/*' --exclude='./usr/sbin/*' --exclude='*/test/*'
done
ln -s gcc-12 "$tree/usr/bin/gcc"
ln -s python3.11 "$tree/usr/bin/python3"
for tool in as ld; do
    ln -sf "i686-linux-gnu-$tool" "$tree/usr/bin/$tool"
done
cp "$guest/busybox" "$tree/bin/"
for applet in sh mkdir mount dd sha256sum wc grep head rm true; do
    ln -s busybox "$tree/bin/$applet"
done
mkdir -p "$tree/usr/src/zlib"
tar -x -f "$downloads"/zlib_*.orig.tar.* -C "$tree/usr/src/zlib" --strip-components=1 \
    --wildcards '*/*.[ch]' --exclude='*/contrib/*' --exclude='*/examples/*' --exclude='*/test/*'
[ -f "$tree/usr/src/zlib/zconf.h" ] || cp "$tree/usr/src/zlib/zconf.h.in" "$tree/usr/src/zlib/zconf.h"

(cd "$tree" && find . -mindepth 1 | LC_ALL=C sort |
    cpio -o -H newc --quiet --owner=0:0) >"$output/userland.cpio"
touch "$output/stamp"
