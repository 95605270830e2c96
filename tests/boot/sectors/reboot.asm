; A boot sector that resets the machine in each of the ways a PC has, counting in CMOS memory, and
; then switches it off.
bits 16
org 0x7c00

    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    cld
    mov al, 0x60
    out 0x70, al
    in al, 0x71
    inc al
    mov bl, al
    mov al, 0x60
    out 0x70, al
    mov al, bl
    out 0x71, al
    mov ah, 0
    push ax
    call print_hex
    pop bx
    cmp bl, 1
    je port_92
    cmp bl, 2
    je port_64
    cmp bl, 3
    je port_cf9
    cmp bl, 4
    je triple_fault
    jmp power_off

port_92:
    mov al, 3
    out 0x92, al
    hlt
port_64:
    mov al, 0xfe
    out 0x64, al
    hlt
port_cf9:
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    hlt
triple_fault:
    lidt [no_idt]
    int3

no_idt dw 0
    dd 0

%include "power_off.inc"

    times 510 - ($ - $$) db 0
    dw 0xaa55
    times 0x100000 - ($ - $$) db 0
