/* Code that a disk's bus master writes over: the next run executes the new bytes, in both rings,
 * with and without paging, also when the page has been run many times, is mapped twice, or holds
 * the data of a loop (SDM vol 3A, 8.1.3 and 11.6; Intel 82371SB data sheet, 2.7; ATA/ATAPI-6, READ
 * DMA). */
#include "guest.h"

enum {
    CODE_AT = ARENA + 0x2000,
    SOURCE_AT = ARENA + 0x8000,
    TABLE_AT = ARENA + 0x9000, /* physical region descriptors */
    ALIAS = 0x02000000,
    BUS_MASTER = 0xC000,
    SECTOR = 512,
    IDE = 0x1F0,
    CONTROL = 0x3F6,
    READ_DMA = 0xC8,
    WRITE_DMA = 0xCA,
};

static uint32_t pci(uint8_t slot, uint8_t function, uint8_t at) {
    outl(0xCF8, 0x80000000u | (uint32_t)slot << 11 | (uint32_t)function << 8 | at);
    return inl(0xCFC);
}

static void pci_write(uint8_t slot, uint8_t function, uint8_t at, uint32_t value) {
    outl(0xCF8, 0x80000000u | (uint32_t)slot << 11 | (uint32_t)function << 8 | at);
    outl(0xCFC, value);
}

/* The PIIX's IDE function: class 0101h. */
static bool find_ide(void) {
    for (uint8_t slot = 0; slot < 32; slot++) {
        for (uint8_t function = 0; function < 8; function++) {
            if (pci(slot, function, 0) == 0xFFFFFFFF || pci(slot, function, 8) >> 16 != 0x0101)
                continue;
            pci_write(slot, function, 0x20, BUS_MASTER | 1);
            pci_write(slot, function, 4, (pci(slot, function, 4) & 0xFFFF) | 5);
            return true;
        }
    }
    return false;
}

static void transfer(bool to_disk, uint32_t sector, uint32_t memory) {
    volatile uint32_t *prd = (volatile uint32_t *)TABLE_AT;
    prd[0] = memory;
    prd[1] = 0x80000000u | SECTOR;
    while (inb(IDE + 7) & 0x80)
        ;
    outb(CONTROL, 2); /* no interrupts */
    outb(BUS_MASTER, 0);
    outl(BUS_MASTER + 4, TABLE_AT);
    outb(BUS_MASTER + 2, 6);
    outb(IDE + 6, 0xE0);
    outb(IDE + 2, 1);
    outb(IDE + 3, (uint8_t)sector);
    outb(IDE + 4, 0);
    outb(IDE + 5, 0);
    outb(IDE + 7, to_disk ? WRITE_DMA : READ_DMA);
    outb(BUS_MASTER, to_disk ? 1 : 9);
    while (inb(BUS_MASTER + 2) & 1 && !(inb(BUS_MASTER + 2) & 2))
        ;
    while (inb(IDE + 7) & 0x88)
        ;
    outb(BUS_MASTER, 0);
    outb(BUS_MASTER + 2, 6);
}

/* A sector of code: MOV EAX, number; INT F0, at each multiple of 16. */
static void make_sector(uint32_t sector, uint8_t number) {
    volatile uint8_t *p = (volatile uint8_t *)SOURCE_AT;
    for (uint32_t at = 0; at < SECTOR; at += 16) {
        for (uint32_t i = 0; i < 16; i++)
            p[at + i] = 0x90;
        p[at] = 0xB8;
        p[at + 1] = number;
        p[at + 2] = (uint8_t)(at / 16);
        p[at + 3] = p[at + 4] = 0;
        p[at + 5] = 0xCD;
        p[at + 6] = VECTOR_END;
    }
    transfer(true, sector, SOURCE_AT);
}

static uint32_t call(uint32_t address, int ring) {
    struct regs in = ring ? regs_ring3((const void *)address) : regs_ring0((const void *)address);
    run(&in);
    return trap.vector == VECTOR_END ? trap.regs.eax : 0xBAD00000 + trap.vector;
}

/* Reads sector after sector over the same page and runs what is there. */
static void rounds(const char *name, uint32_t address, int ring, unsigned runs) {
    uint32_t wrong = 0;
    for (uint32_t n = 0; n < 60; n++) {
        uint32_t sector = 1 + n % 4, at = n % 8 * SECTOR;
        transfer(false, sector, CODE_AT + at);
        for (unsigned k = 0; k < runs; k++) {
            uint32_t spot = (n + k) % 32;
            wrong += call(address + at + spot * 16, ring) != (sector * 0x11 | spot << 8);
        }
    }
    printf("%s, ring %d, %u runs each: %u wrong\n", name, ring, runs, wrong);
}

void guest_main(void) {
    printf("IDE function: %s\n", find_ide() ? "found" : "none");
    transfer(false, 0, CODE_AT);
    printf("disk: ");
    for (uint32_t i = 0; i < 37; i++)
        serial_putc(*(volatile char *)(CODE_AT + i));
    printf("\n");
    for (uint32_t sector = 1; sector <= 4; sector++)
        make_sector(sector, (uint8_t)(sector * 0x11));
    for (int paging = 0; paging < 2; paging++) {
        const char *name = paging ? "paging" : "no paging";
        if (paging)
            paging_init();
        for (int ring = 0; ring <= 3; ring += 3) {
            rounds(name, CODE_AT, ring, 1);
            rounds(name, CODE_AT, ring, 20);
        }
    }
    for (uint32_t page = 0; page < 2; page++)
        paging_set(ALIAS + page * 4096, (CODE_AT + page * 4096) | PTE_ALL);
    rounds("alias", ALIAS, 0, 3);
    rounds("alias", ALIAS, 3, 3);
    /* Read-only for the processor, not for the disk. */
    paging_set(ALIAS, CODE_AT | PTE_P | PTE_U);
    rounds("read-only", ALIAS, 3, 3);
}
