/* Into real-address mode and back (real.h; SDM vol 3A, 9.9). The part between real_blob and
 * real_blob_end runs at REAL_BLOB, as segment 2000h; its own data are addressed through CS. */

#define REAL_BLOB     0x20000
#define REAL_SEGMENT  0x2000
#define REAL_VECTORS  0x30000
#define SEL_CODE16    0x1e8 /* the last slots of the GDT */
#define SEL_DATA16    0x1f0
#define SEL_DATA16_4G 0x1f8
#define AT(label)     (label - real_blob)

        .text
        .globl real_enter
/* void real_enter(void): runs what real_state says. */
real_enter:
        pushal
        pushfl
        movl %esp, real_esp
        cli
        sgdtl real_gdtr
        lidtl real_pointer
        cmpl $0, REAL_BLOB + AT(state_hidden)
        movl $SEL_DATA16, %eax
        je 1f
        movl $SEL_DATA16_4G, %eax
1:      ljmp $SEL_CODE16, $AT(real_start)

        .globl real_back
real_back:
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %eax, %ss
        movl real_esp, %esp
        lidtl real_idtr
        popfl
        popal
        ret

        .code16
        .globl real_blob, real_blob_end, real_stubs
        .balign 16
real_blob:
real_start:
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movl %cr0, %eax
        andb $0xfe, %al
        movl %eax, %cr0
        ljmp $REAL_SEGMENT, $AT(1f)
1:      movw $REAL_SEGMENT, %ax
        movw %ax, %ss
        movl $AT(blob_stack), %esp
        pushl %cs:AT(state_eflags)
        popfl
        movw %cs:AT(state_ds), %ds
        movw %cs:AT(state_es), %es
        movw %cs:AT(state_fs), %fs
        movw %cs:AT(state_gs), %gs
        movl %cs:AT(state_eax), %eax
        movl %cs:AT(state_ecx), %ecx
        movl %cs:AT(state_edx), %edx
        movl %cs:AT(state_ebx), %ebx
        movl %cs:AT(state_ebp), %ebp
        movl %cs:AT(state_esi), %esi
        movl %cs:AT(state_edi), %edi
        movw %cs:AT(state_ss), %ss
        movl %cs:AT(state_esp), %esp
        ljmpw *%cs:AT(target)

        .set n, 0
        .balign 16
real_stubs:
        .rept 256
        movb $n, %cs:AT(state_vector)
        jmp common
        .balign 16
        .set n, n + 1
        .endr

common:
        movl %eax, %cs:AT(state_eax)
        movl %ecx, %cs:AT(state_ecx)
        movl %edx, %cs:AT(state_edx)
        movl %ebx, %cs:AT(state_ebx)
        movl %ebp, %cs:AT(state_ebp)
        movl %esi, %cs:AT(state_esi)
        movl %edi, %cs:AT(state_edi)
        movw %ds, %cs:AT(state_ds)
        movw %es, %cs:AT(state_es)
        movw %fs, %cs:AT(state_fs)
        movw %gs, %cs:AT(state_gs)
        movw %ss, %cs:AT(state_ss)
        movl %esp, %ebp
        movzwl %ss:(%bp), %eax
        movl %eax, %cs:AT(state_eip)
        addw $2, %bp
        movw %ss:(%bp), %ax
        movw %ax, %cs:AT(state_cs)
        addw $2, %bp
        movzwl %ss:(%bp), %eax
        movl %eax, %cs:AT(state_eflags)
        addw $2, %bp
        movl %ebp, %cs:AT(state_esp)
        movl %cr0, %eax
        orb $1, %al
        lgdtl %cs:AT(gdtr)
        movl %eax, %cr0
        ljmpl $8, $real_back

        .balign 4
        .globl real_state_blob, real_target_blob, real_gdtr_blob
real_state_blob:
state_eax:      .long 0
state_ecx:      .long 0
state_edx:      .long 0
state_ebx:      .long 0
state_esp:      .long 0
state_ebp:      .long 0
state_esi:      .long 0
state_edi:      .long 0
state_eip:      .long 0
state_cs:       .long 0
state_ss:       .long 0
state_ds:       .long 0
state_es:       .long 0
state_fs:       .long 0
state_gs:       .long 0
state_eflags:   .long 0
state_vector:   .long 0
state_hidden:   .long 0
real_target_blob:
target:         .word 0, 0
real_gdtr_blob:
gdtr:           .word 0
                .long 0
        .skip 64
blob_stack:
real_blob_end:
        .code32

        .bss
        .balign 4
real_esp:       .skip 4
        .globl real_gdtr, real_idtr, real_pointer
real_gdtr:      .skip 8
real_idtr:      .skip 8
real_pointer:   .skip 8
