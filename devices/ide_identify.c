/* What a disk says of itself: IDENTIFY DEVICE, ATA/ATAPI-6 section 8.15. */
#include "devices/ide.h"

#include "host/host.h"

static void put_word(uint8_t *out, unsigned word, uint32_t value) {
    out[word * 2] = (uint8_t)value;
    out[word * 2 + 1] = (uint8_t)(value >> 8);
}

static void put_two(uint8_t *out, unsigned word, uint32_t value) {
    put_word(out, word, value);
    put_word(out, word + 1, value >> 16);
}

/* Text, padded with blanks, the first character of a word in its high byte. */
static void put_text(uint8_t *out, unsigned word, unsigned words, const char *text) {
    for (unsigned i = 0; i < words * 2; i++) {
        out[word * 2 + (i ^ 1u)] = *text ? (uint8_t)*text : ' ';
        if (*text)
            text++;
    }
}

void ide_identify(const struct ide_disk *d, uint8_t out[IDE_SECTOR]) {
    static const char *const serial[IDE_DISKS] = {"RO00000", "RO00001", "RO00002", "RO00003"};
    enum { NOP = 1 << 14, WRITE_CACHE = 1 << 5, VALID = 1 << 14 };
    enum { LBA48 = 1 << 10, FLUSH = 1 << 12, FLUSH_EXT = 1 << 13 };
    uint64_t default_cylinders = d->sectors / (16 * 63);
    uint32_t lba28 = d->sectors > 0x0fffffff ? 0x0fffffff : (uint32_t)d->sectors;
    uint32_t now = (uint32_t)d->cylinders * d->heads * d->track_sectors;
    bool dma = d->transfer_mode >= 0x20;

    memset(out, 0, IDE_SECTOR);
    put_word(out, 0, 0x0040); /* fixed disk */
    put_word(out, 1, default_cylinders > 16383 ? 16383 : (uint32_t)default_cylinders);
    put_word(out, 3, 16);
    put_word(out, 6, 63);
    put_text(out, 10, 10, serial[d->host_disk % IDE_DISKS]);
    put_text(out, 23, 4, "1.0");
    put_text(out, 27, 20, "RINGONE HARDDISK");
    put_word(out, 47, 0x8000 | IDE_MULTIPLE_MAX);
    put_word(out, 48, 1);      /* doubleword I/O */
    put_word(out, 49, 0x0b00); /* DMA, LBA, IORDY */
    put_word(out, 50, VALID);
    put_word(out, 51, 0x0200); /* PIO mode 2 */
    put_word(out, 53, 3);      /* words 54-58 and 64-70 are valid */
    put_word(out, 54, d->cylinders);
    put_word(out, 55, d->heads);
    put_word(out, 56, d->track_sectors);
    put_two(out, 57, now);
    put_word(out, 59, d->multiple ? 0x0100u | d->multiple : 0);
    put_two(out, 60, lba28);
    put_word(out, 63, 7u | (dma ? 0x100u << (d->transfer_mode & 7u) : 0)); /* multiword DMA 0-2 */
    put_word(out, 64, 3);                                                  /* PIO modes 3 and 4 */
    for (unsigned word = 65; word <= 68; word++)
        put_word(out, word, 120); /* cycle times in ns */
    put_word(out, 80, 0x7e);      /* ATA-1 to ATA/ATAPI-6 */
    put_word(out, 82, WRITE_CACHE);
    put_word(out, 83, VALID | LBA48 | FLUSH | FLUSH_EXT);
    put_word(out, 84, VALID);
    put_word(out, 85, d->write_cache ? WRITE_CACHE : 0);
    put_word(out, 86, LBA48 | FLUSH | FLUSH_EXT);
    put_word(out, 87, VALID);
    put_word(out, 93, 0x6001); /* hardware reset: 80-conductor cable, device 0 passed */
    put_two(out, 100, (uint32_t)d->sectors);
    put_two(out, 102, (uint32_t)(d->sectors >> 32));
}
