/* PIIX4 power management; see piix4_pm.h. */
#include "devices/piix4_pm.h"

#include "vmm/vm.h"

#define PMBA            0x40u /* configuration: base of the registers, bit 0 reads 1 */
#define DEVACTB         0x58u
#define DEVACTB_APMC_EN 0x02000000u
#define PMREGMISC       0x80u /* configuration: bit 0 enables them */
#define PMBA_MASK       0xffc0u
#define PM_BYTES        64u
#define TMR_BITS        24u

#define STS_TMR     0x0001u
#define STS_GBL     0x0020u
#define STS_PWRBTN  0x0100u
#define STS_RTC     0x0400u
#define STS_WAK     0x8000u
#define STS_ALL     (STS_TMR | STS_GBL | STS_PWRBTN | STS_RTC | STS_WAK)
#define EN_ALL      (STS_TMR | STS_GBL | STS_PWRBTN | STS_RTC)
#define CNT_SCI_EN  0x0001u
#define CNT_BM_RLD  0x0002u
#define CNT_SLP_TYP 0x1c00u
#define CNT_SLP_EN  0x2000u
#define SLP_TYP_S5  0u /* what the \_S5 object of the tables says */

/* -- timer and SCI -- */

static uint64_t timer_ticks(uint64_t now) {
    return clock_to_ticks(now, PM_TIMER_HZ);
}

/* TMR_STS is set whenever the timer's top bit changes. */
static void sync(struct piix4_pm *p, uint64_t now) {
    uint64_t toggles = timer_ticks(now) >> (TMR_BITS - 1);
    if (toggles != p->toggles)
        p->sts |= STS_TMR;
    p->toggles = toggles;
}

static void update(struct piix4_pm *p) {
    bool want = (p->cnt & CNT_SCI_EN) && (p->sts & p->en);
    uint64_t at = CLOCK_NEVER;
    irq_set(&p->sci, want);
    if ((p->cnt & CNT_SCI_EN) && (p->en & ~p->sts & STS_TMR))
        at = clock_from_ticks((p->toggles + 1) << (TMR_BITS - 1), PM_TIMER_HZ);
    clock_timer_set(p->clock, &p->timer, at);
}

static void on_timer(void *dev, uint64_t now) {
    sync(dev, now);
    update(dev);
}

/* -- registers -- */

/* The registers that exist, as the doubleword at offset & ~3. */
static uint32_t read_dword(const struct piix4_pm *p, unsigned offset, uint64_t now) {
    switch (offset & ~3u) {
    case PM1_STS:
        return p->sts | (uint32_t)p->en << 16;
    case PM1_CNT:
        return p->cnt;
    case PM_TMR:
        return timer_ticks(now) & ((1u << TMR_BITS) - 1);
    default:
        return 0; /* general-purpose events, processor and device controls: nothing is there */
    }
}

static uint32_t pm_read(void *dev, uint16_t offset, unsigned size) {
    struct piix4_pm *p = dev;
    uint64_t now = clock_now(p->clock);
    sync(p, now);
    if (offset % 4 + size > 4) {
        uint32_t low = pm_read(dev, offset, size / 2);
        return low | pm_read(dev, (uint16_t)(offset + size / 2), size / 2) << size * 4;
    }
    return read_dword(p, offset, now) >> offset % 4 * 8;
}

static void write_cnt(struct piix4_pm *p, uint16_t value) {
    p->cnt = value & (CNT_SCI_EN | CNT_BM_RLD | CNT_SLP_TYP); /* SLP_EN reads zero */
    if ((value & CNT_SLP_EN) && (value & CNT_SLP_TYP) == SLP_TYP_S5 << 10)
        vm_request_stop(p->vm, VM_STOP_POWEROFF);
}

static void write_byte(struct piix4_pm *p, unsigned offset, uint8_t value) {
    unsigned shift = offset % 2 * 8;
    uint16_t mask = (uint16_t)(0xff << shift), bits = (uint16_t)(value << shift);
    switch (offset & ~1u) {
    case PM1_STS:
        p->sts &= (uint16_t) ~(bits & STS_ALL);
        break;
    case PM1_EN:
        p->en = (uint16_t)((p->en & ~mask) | (bits & EN_ALL));
        break;
    case PM1_CNT:
        write_cnt(p, (uint16_t)((p->cnt & ~mask) | bits));
        break;
    default:
        break;
    }
}

static void pm_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct piix4_pm *p = dev;
    sync(p, clock_now(p->clock));
    for (unsigned i = 0; i < size; i++)
        write_byte(p, offset + i, (uint8_t)(value >> 8 * i));
    update(p);
}

/* B2h is read by the SMI handler, which we are: it answers at once. B3h is a scratch byte. */
static uint32_t apm_read(void *dev, uint16_t offset, unsigned size) {
    const struct piix4_pm *p = dev;
    (void)size;
    return p->apm[offset];
}

static void apm_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct piix4_pm *p = dev;
    (void)size;
    p->apm[offset] = (uint8_t)value;
    if (offset == 0 && value == PM_ACPI_ENABLE)
        p->cnt |= CNT_SCI_EN;
    else if (offset == 0 && value == PM_ACPI_DISABLE)
        p->cnt &= (uint16_t)~CNT_SCI_EN;
    update(p);
}

static const struct pio_ops pm_ops = {pm_read, pm_write, 1 | 2 | 4};
static const struct pio_ops apm_ops = {apm_read, apm_write, 1};

/* -- PCI -- */

/* Follows PMBA and its enable bit. Where another device already answers the block goes nowhere. */
static void apply_base(struct piix4_pm *p) {
    uint32_t base = pci_get16(&p->pci, PMBA) & PMBA_MASK;
    if (!(p->pci.config[PMREGMISC] & 1))
        base = 0;
    if (base == p->mapped_at)
        return;
    if (p->mapped_at)
        bus_unmap_pio(p->vm->bus, (uint16_t)p->mapped_at);
    p->mapped_at = 0;
    if (base && bus_map_pio(p->vm->bus, (uint16_t)base, PM_BYTES, &pm_ops, p))
        p->mapped_at = base;
}

static void written(void *dev, unsigned offset, unsigned size) {
    (void)offset;
    (void)size;
    apply_base(dev);
}

bool piix4_pm_create(struct piix4_pm *p, struct vm *vm, struct pci_bus *bus, struct vclock *clock,
                     struct irq_line sci) {
    static const struct pci_id id = {0x8086, 0x7113, 0x068000, 3};
    *p = (struct piix4_pm){.vm = vm, .clock = clock, .sci = sci};
    clock_timer_init(&p->timer, on_timer, p);
    pci_function_init(&p->pci, PCI_DEVFN(1, 3), &id);
    p->pci.wmask[PCI_COMMAND] = PCI_COMMAND_IO;
    p->pci.wmask[PCI_IRQ_LINE] = 0xff;
    p->pci.config[PCI_IRQ_PIN] = 1;
    pci_put16(p->pci.wmask, PMBA, PMBA_MASK);
    p->pci.wmask[PMREGMISC] = 1;
    p->pci.written = written;
    p->pci.dev = p;
    piix4_pm_reset(p);
    return p->mapped_at == PM_BASE && pci_attach(bus, &p->pci) &&
           bus_map_pio(vm->bus, PM_SMI_CMD, 2, &apm_ops, p);
}

void piix4_pm_reset(struct piix4_pm *p) {
    p->sts = p->en = p->cnt = 0;
    p->apm[0] = p->apm[1] = 0;
    p->toggles = timer_ticks(clock_now(p->clock)) >> (TMR_BITS - 1);
    pci_put16(p->pci.config, PCI_COMMAND, PCI_COMMAND_IO);
    pci_put16(p->pci.config, PCI_STATUS, 0x0280);
    p->pci.config[PCI_IRQ_LINE] = PM_SCI_IRQ;
    pci_put16(p->pci.config, PMBA, PM_BASE | 1);
    p->pci.config[PMREGMISC] = 1;
    /* SMIs for port B2h, which say to firmware that its SMM is set up: there is none to set up */
    pci_put32(p->pci.config, DEVACTB, DEVACTB_APMC_EN);
    apply_base(p);
    update(p);
}
