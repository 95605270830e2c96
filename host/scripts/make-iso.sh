#!/bin/bash
# Writes a CD image that boots the ring-0 VMM with a guest on a PC with a BIOS (GRUB):
#   make-iso.sh OUTPUT RINGONE.ELF [OPTION...] -- KERNEL [MODULE...]
# Each OPTION is a line of the options module (host/ring0/options.h), such as "-m 256".
#   make-iso.sh OUTPUT KERNEL
# writes one that boots a Multiboot kernel alone.
set -euo pipefail

usage() { sed -n 's/^#   //p' "$0" >&2; exit 2; }
[ $# = 2 ] || [ $# -ge 4 ] || usage
output=$1 vmm=$2
shift 2
alone=$([ $# -gt 0 ] || echo yes)

# A GRUB that only starts from UEFI would make an image that a BIOS does not boot.
platform=/usr/lib/grub/i386-pc
[ -d $platform ] || { echo "make-iso: GRUB for BIOS is not installed (grub-pc-bin)" >&2; exit 1; }

tree=$(mktemp -d)
log=$(mktemp)
trap 'rm -rf "$tree" "$log"' EXIT
mkdir -p "$tree/boot/grub"
cp "$vmm" "$tree/boot/ringone.elf"
echo '# ringone options' >"$tree/boot/options"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    printf '%s\n' "$1" >>"$tree/boot/options"
    shift
done
if [ ! "$alone" ]; then
    [ $# -ge 2 ] || usage
    shift
fi

{
    printf 'set timeout=0\nset default=0\nmenuentry "ringone" {\n'
    printf '    multiboot /boot/ringone.elf\n'
    [ "$alone" ] || printf '    module /boot/options options\n'
    for module in "$@"; do
        name=$(basename "$module")
        cp "$module" "$tree/boot/$name"
        printf '    module /boot/%s %s\n' "$name" "$name"
    done
    printf '}\n'
} >"$tree/boot/grub/grub.cfg"

grub-mkrescue -d $platform -o "$output" "$tree" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
