#!/bin/bash
# Writes a bootable CD image (BIOS, GRUB) with the ring-0 VMM and a Debian guest:
#   make-iso.sh OUTPUT RINGONE.ELF GUEST-FOLDER MEMORY-MIB KERNEL-PARAMETERS [OPTION...]
# Each OPTION is a further line of the options module (host/ring0/options.h), such as "-stats".
set -euo pipefail

[ $# -ge 5 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
output=$1 vmm=$2 guest=$3 memory=$4 append=$5
shift 5

# A GRUB that only starts from UEFI would make an image that a BIOS does not boot.
[ -d /usr/lib/grub/i386-pc ] || { echo "make-iso: GRUB for BIOS is not installed (grub-pc-bin)" >&2; exit 1; }

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/boot/grub"
cp "$vmm" "$tree/boot/ringone.elf"
cp "$guest/vmlinuz-686" "$guest/initrd.gz" "$tree/boot/"
printf '%s\n' '# ringone options' "-m $memory" "-append $append" "$@" >"$tree/boot/options"
# Modules of a name each, which a module's command line begins with.
cat >"$tree/boot/grub/grub.cfg" <<'CONFIG'
set timeout=0
set default=0
menuentry "ringone: Debian 686 kernel in ring 1, on the serial port" {
    multiboot /boot/ringone.elf
    module /boot/options options
    module /boot/vmlinuz-686 vmlinuz-686
    module /boot/initrd.gz initrd.gz
}
CONFIG

log=$tree.log
if ! grub-mkrescue -d /usr/lib/grub/i386-pc -o "$output" "$tree" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
