/* 440FX host bridge; see i440fx.h. */
#include "devices/i440fx.h"

#define PMCCFG       0x50u /* host bridge configuration */
#define PAM0         0x59u /* programmable attribute map: 7 bytes */
#define PAM_RE       1u
#define PAM_WE       2u
#define PAM_SEGMENTS 13u
#define DRB0         0x60u /* DRAM row boundaries: 8 bytes */
#define SMRAM        0x72u

/* PAM0 bits 5:4 are for F0000h; then two 16 KiB segments in each register, C0000h first. */
static void apply_pam(struct i440fx *h) {
    const uint8_t *pam = h->pci.config + PAM0;
    if (!h->route)
        return;
    for (unsigned i = 0; i < PAM_SEGMENTS; i++) {
        unsigned bits = i == PAM_SEGMENTS - 1 ? pam[0] >> 4u : pam[1 + i / 2] >> 4u * (i % 2);
        h->route(h->route_chip, i, bits & PAM_RE, bits & PAM_WE);
    }
}

static void written(void *dev, unsigned offset, unsigned size) {
    if (offset < PAM0 + 7 && PAM0 < offset + size)
        apply_pam(dev);
}

bool i440fx_create(struct i440fx *h, struct pci_bus *bus) {
    static const struct pci_id id = {0x8086, 0x1237, 0x060000, 2};
    pci_function_init(&h->pci, PCI_DEVFN(0, 0), &id);
    h->pci.wmask[PCI_COMMAND + 1] = 0x01; /* SERR# enable; memory and master are hard-wired */
    h->pci.wmask[PMCCFG] = h->pci.wmask[PMCCFG + 1] = 0xff;
    for (unsigned i = 0; i < 7; i++)
        h->pci.wmask[PAM0 + i] = i == 0 ? 0x30 : 0x33;
    for (unsigned i = 0; i < 8; i++)
        h->pci.wmask[DRB0 + i] = 0xff;
    h->pci.wmask[SMRAM] = 0x78;
    h->pci.written = written;
    h->pci.dev = h;
    i440fx_reset(h);
    return pci_attach(bus, &h->pci);
}

void i440fx_reset(struct i440fx *h) {
    pci_put16(h->pci.config, PCI_COMMAND, PCI_COMMAND_MEM | PCI_COMMAND_MSTR);
    pci_put16(h->pci.config, PCI_STATUS, 0x0280); /* medium DEVSEL#, fast back-to-back */
    for (unsigned i = 0; i < 7; i++)
        h->pci.config[PAM0 + i] = h->route ? 0 : i == 0 ? 0x30 : 0x33;
    apply_pam(h);
    h->pci.config[SMRAM] = 0x02;
}

void i440fx_identify(struct i440fx *h, uint16_t vendor, uint16_t device) {
    pci_put16(h->pci.config, PCI_SUBSYSTEM_VENDOR, vendor);
    pci_put16(h->pci.config, PCI_SUBSYSTEM_ID, device);
}
