#!/bin/bash
# Fetches and builds the instruction decoder: build-zydis.sh OUTPUT_DIRECTORY
#
# Zydis comes from Debian's source package, the Zycore headers it needs from Debian's libzycore-dev.
# Only the decoder is built, in the form the VMM core needs: no libc, no vector registers. The
# result is OUTPUT_DIRECTORY/libzydis.a and OUTPUT_DIRECTORY/include. The downloads are cached.
set -euo pipefail
source "$(dirname "$0")/private-apt.sh"

[ $# = 1 ] || die "usage: $0 OUTPUT_DIRECTORY"
output=$1
downloads=$RINGONE_CACHE/zydis
cc=${CC:-gcc}

fetch() {
    rm -rf "$downloads.part"
    mkdir -p "$downloads.part"
    private_apt_setup source amd64 deb deb-src
    private_apt_source "$downloads.part" zydis
    private_apt_download "$downloads.part" libzycore-dev
    rm -rf "$downloads"
    mv "$downloads.part" "$downloads"
}

[ -d "$downloads" ] || fetch

rm -rf "$output"
mkdir -p "$output"/{source,zycore,object,include}
tar -x -C "$output/source" --strip-components=1 -f "$downloads"/zydis_*.orig.tar.*
dpkg-deb -x "$downloads"/libzycore-dev_*.deb "$output/zycore"
cp -r "$output/source/include/Zydis" "$output/zycore/usr/include/Zycore" "$output/include/"

objects=()
for unit in Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData Utils Zydis; do
    "$cc" -std=c11 -O2 -g -ffreestanding -mgeneral-regs-only -fPIE -fno-stack-protector \
        ${ZYDIS_DEFINES?} -I"$output/include" -I"$output/source/src" \
        -c "$output/source/src/$unit.c" -o "$output/object/$unit.o"
    objects+=("$output/object/$unit.o")
done

# The core has no libc under it, so neither may the decoder.
ld -r -o "$output/object/all.o" "${objects[@]}"
undefined=$(nm -u --format=posix "$output/object/all.o" | awk '{ print $1 }' |
    grep -vxE 'memcpy|memset|memmove|memcmp|_GLOBAL_OFFSET_TABLE_' || true)
[ -z "$undefined" ] || die "the decoder needs more than it may: $undefined"

ar rcsD "$output/libzydis.a" "${objects[@]}"
rm -rf "$output/source" "$output/zycore" "$output/object"
