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

work=$output.part
rm -rf "$work"
mkdir -p "$work"/{source,zycore,object,include}
tar -x -C "$work/source" --strip-components=1 -f "$downloads"/zydis_*.orig.tar.*
dpkg-deb -x "$downloads"/libzycore-dev_*.deb "$work/zycore"
cp -r "$work/source/include/Zydis" "$work/zycore/usr/include/Zycore" "$work/include/"

# Without libc its headers clear memory byte by byte, through a volatile pointer. The compiler's own
# memset and memcpy in their place more than double its speed.
memory=(-DZYAN_CUSTOM_LIBC -DZYAN_MEMSET=__builtin_memset -DZYAN_MEMCPY=__builtin_memcpy)

objects=()
for unit in Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData Utils Zydis; do
    "$cc" -std=c11 -O2 -g -ffreestanding -mgeneral-regs-only -fPIE -fno-stack-protector \
        ${ZYDIS_DEFINES?} "${memory[@]}" -I"$work/include" -I"$work/source/src" \
        -c "$work/source/src/$unit.c" -o "$work/object/$unit.o"
    objects+=("$work/object/$unit.o")
done

# The core has no libc under it, so neither may the decoder.
ld -r -o "$work/object/all.o" "${objects[@]}"
undefined=$(nm -u --format=posix "$work/object/all.o" | awk '{ print $1 }' |
    grep -vxE 'memcpy|memset|memmove|memcmp|_GLOBAL_OFFSET_TABLE_' || true)
[ -z "$undefined" ] || die "the decoder needs more than it may: $undefined"

ar rcsD "$work/libzydis.a" "${objects[@]}"
rm -rf "$work/source" "$work/zycore" "$work/object" "$output"
mv "$work" "$output"
