; A boot sector: tells what the BIOS says of drive and memory, then loads the next sectors and goes
; on there. Then through protected mode and big real mode, and writes a sector and reads it back.
bits 16
org 0x7c00

    cli
    cld
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    mov [drive], dl
    mov si, hello
    call print
    mov ax, 0x0203          ; three sectors from cylinder 0, head 0, sector 2
    mov cx, 0x0002
    mov dh, 0
    mov dl, [drive]
    mov bx, 0x7e00
    int 0x13
    jnc second
    mov si, no_disk
    call print
    jmp power_off

%include "power_off.inc"

drive db 0
hello db "boot sector runs", 13, 10, 0
no_disk db "cannot read", 13, 10, 0
    times 510 - ($ - $$) db 0
    dw 0xaa55

second:
    mov si, loaded
    call print
    mov ah, 0
    mov al, [drive]
    call print_hex
    int 0x12                ; KiB of conventional memory
    call print_hex
    mov ah, 0x08            ; drive parameters: last head in DH, sectors in CL
    mov dl, [drive]
    xor di, di
    int 0x13
    mov ax, dx
    xor dx, dx
    mov es, dx
    and ax, 0xff00
    and cl, 0x3f
    or al, cl
    call print_hex

    ; write LBA 40 by packet, read it back elsewhere
    mov di, 0x9000
    mov cx, 256
    mov ax, 0xa55a
    rep stosw
    mov ah, 0x43
    mov al, 0
    call packet
    mov word [address], 0x9400
    mov ah, 0x42
    call packet
    mov si, 0x9000
    mov di, 0x9400
    mov cx, 256
    repe cmpsw
    mov si, differs
    jne .say
    mov si, same
.say:
    call print

    ; big real mode: a 4 GiB limit for FS, loaded in protected mode
    cli
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    sti
    mov edi, 0x200000
    mov dword [fs:edi], 0x12345678
    xor bx, bx
    mov fs, bx
    mov ax, [fs:edi + 2]    ; the limit stays when only the selector changes
    call print_hex

    ; A20: 1 MiB above that is another place
    mov dword [fs:edi + 0x100000], 0
    mov al, 0               ; closed: the same place
    out 0x92, al
    mov dword [fs:edi + 0x100000], 0x0bad0bad
    mov ax, [fs:edi]
    push ax
    mov al, 2
    out 0x92, al
    pop ax
    call print_hex
    mov ax, [fs:edi + 0x100000]
    call print_hex
    mov si, done
    call print
    jmp power_off

packet:
    mov si, dap
    mov dl, [drive]
    int 0x13
    ret

    align 8
gdt dq 0, 0x008f92000000ffff
gdtr dw 15
    dd gdt
dap db 16, 0
    dw 1
address dw 0x9000, 0
    dq 40
loaded db "second sector runs", 13, 10, 0
same db "written and read", 13, 10, 0
differs db "written and read differ", 13, 10, 0
done db "done", 13, 10, 0
    times 63 * 512 - ($ - $$) db 0
    times 0x100000 - ($ - $$) db 0xdb
