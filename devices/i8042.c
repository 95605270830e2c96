/* i8042 controller; see i8042.h. */
#include "devices/i8042.h"

#include "vmm/vm.h"

#define ST_OBF     0x01u
#define ST_SYS     0x04u
#define ST_COMMAND 0x08u /* the last write was to port 64h */
#define ST_UNLOCK  0x10u
#define ST_AUX     0x20u /* the byte in the output buffer is the mouse's */

#define CB_KEYBOARD_IRQ 0x01u
#define CB_AUX_IRQ      0x02u
#define CB_SYS          0x04u
#define CB_KEYBOARD_OFF 0x10u
#define CB_AUX_OFF      0x20u
#define CB_TRANSLATE    0x40u

#define OUT_RUN    0x01u /* 0 resets the machine */
#define OUT_A20    0x02u
#define OUT_OBF    0x10u
#define OUT_AUX    0x20u
#define OUT_LINES  0xc0u /* clock and data of the keyboard */
#define INPUT_PORT 0x80u /* keyboard not locked */

/* -- output buffer -- */

static void update_irqs(struct i8042 *k) {
    bool full = k->status & ST_OBF, aux = k->status & ST_AUX;
    irq_set(&k->irq_keyboard, full && !aux && (k->ram[0] & CB_KEYBOARD_IRQ));
    irq_set(&k->irq_mouse, full && aux && (k->ram[0] & CB_AUX_IRQ));
}

/* Puts a byte into the output buffer, over what is there. */
static void put(struct i8042 *k, uint8_t value, bool aux) {
    k->output = value;
    k->status = (uint8_t)((k->status & ~ST_AUX) | ST_OBF | (aux ? ST_AUX : 0));
    update_irqs(k);
}

/* Scan codes of set 2 become those of set 1; of what this keyboard sends only its identity has a
 * byte that the translation changes. */
static uint8_t translate(const struct i8042 *k, uint8_t value) {
    return (k->ram[0] & CB_TRANSLATE) && value == 0x83 ? 0x41 : value;
}

/* Fetches the next byte from the devices if the buffer is free. */
static void refill(struct i8042 *k) {
    uint8_t value;
    if (k->status & ST_OBF)
        return;
    if (!(k->ram[0] & CB_KEYBOARD_OFF) && ps2_take(&k->keyboard.out, &value))
        put(k, translate(k, value), false);
    else if (!(k->ram[0] & CB_AUX_OFF) && ps2_take(&k->mouse.out, &value))
        put(k, value, true);
}

static uint8_t read_data(struct i8042 *k) {
    uint8_t value = k->output;
    k->status &= (uint8_t) ~(ST_OBF | ST_AUX);
    update_irqs(k);
    refill(k);
    return value;
}

/* -- commands -- */

static uint8_t output_port(const struct i8042 *k) {
    return (uint8_t)(OUT_LINES | OUT_RUN | (k->a20->open ? OUT_A20 : 0) |
                     (k->status & ST_OBF ? k->status & ST_AUX ? OUT_AUX : OUT_OBF : 0));
}

static void write_output_port(struct i8042 *k, uint8_t value) {
    a20_set(k->a20, value & OUT_A20);
    if (!(value & OUT_RUN))
        vm_request_stop(k->vm, VM_STOP_RESET);
}

static void write_command_byte(struct i8042 *k, uint8_t value) {
    k->ram[0] = value;
    k->status = (uint8_t)((k->status & ~ST_SYS) | (value & CB_SYS ? ST_SYS : 0));
    update_irqs(k);
    refill(k);
}

static void change_command_byte(struct i8042 *k, uint8_t clear, uint8_t set) {
    write_command_byte(k, (uint8_t)((k->ram[0] & ~clear) | set));
}

static void self_test(struct i8042 *k) {
    k->ram[0] = CB_SYS | CB_KEYBOARD_OFF | CB_AUX_OFF;
    k->status = (uint8_t)((k->status & ~(ST_OBF | ST_AUX)) | ST_SYS);
    k->keyboard.out.count = k->mouse.out.count = 0;
    put(k, 0x55, false);
}

static void write_command(struct i8042 *k, uint8_t value) {
    k->status |= ST_COMMAND;
    k->command = 0;
    if (value >= 0x20 && value <= 0x3f) {
        put(k, k->ram[value & 31u], false);
        return;
    }
    if ((value >= 0x60 && value <= 0x7f) || (value >= 0xd1 && value <= 0xd4)) {
        k->command = value;
        return;
    }
    if (value >= 0xf0) { /* pulses the output port's bits 3:0 that are clear */
        if (!(value & OUT_RUN))
            vm_request_stop(k->vm, VM_STOP_RESET);
        return;
    }
    switch (value) {
    case 0xa4: /* no password */
        put(k, 0xf1, false);
        break;
    case 0xa7:
        change_command_byte(k, 0, CB_AUX_OFF);
        break;
    case 0xa8:
        change_command_byte(k, CB_AUX_OFF, 0);
        break;
    case 0xa9: /* the lines of both ports are well */
    case 0xab:
        put(k, 0, false);
        break;
    case 0xaa:
        self_test(k);
        break;
    case 0xad:
        change_command_byte(k, 0, CB_KEYBOARD_OFF);
        break;
    case 0xae:
        change_command_byte(k, CB_KEYBOARD_OFF, 0);
        break;
    case 0xc0:
        put(k, INPUT_PORT, false);
        break;
    case 0xd0:
        put(k, output_port(k), false);
        break;
    case 0xe0: /* test inputs: both clocks high */
        put(k, 0x03, false);
        break;
    default:
        break;
    }
}

static void write_data(struct i8042 *k, uint8_t value) {
    uint8_t command = k->command;
    k->command = 0;
    k->status &= (uint8_t)~ST_COMMAND;
    switch (command) {
    case 0:
        k->ram[0] &= (uint8_t)~CB_KEYBOARD_OFF; /* sending a byte enables the keyboard */
        ps2_keyboard_write(&k->keyboard, value);
        refill(k);
        break;
    case 0x60:
        write_command_byte(k, value);
        break;
    case 0xd1:
        write_output_port(k, value);
        break;
    case 0xd2:
        put(k, value, false);
        break;
    case 0xd3:
        put(k, value, true);
        break;
    case 0xd4:
        k->ram[0] &= (uint8_t)~CB_AUX_OFF;
        ps2_mouse_write(&k->mouse, value);
        refill(k);
        break;
    default:
        k->ram[command & 31u] = value;
        break;
    }
}

/* -- ports -- */

static uint32_t data_read(void *dev, uint16_t offset, unsigned size) {
    (void)offset;
    (void)size;
    return read_data(dev);
}

static void data_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)offset;
    (void)size;
    write_data(dev, (uint8_t)value);
}

static uint32_t status_read(void *dev, uint16_t offset, unsigned size) {
    const struct i8042 *k = dev;
    (void)offset;
    (void)size;
    return k->status;
}

static void status_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)offset;
    (void)size;
    write_command(dev, (uint8_t)value);
}

static const struct pio_ops data_ops = {data_read, data_write, 1};
static const struct pio_ops status_ops = {status_read, status_write, 1};

bool i8042_create(struct i8042 *k, struct vm *vm, struct irq_line keyboard, struct irq_line mouse,
                  struct a20_gate *a20) {
    *k = (struct i8042){.vm = vm, .irq_keyboard = keyboard, .irq_mouse = mouse, .a20 = a20};
    i8042_reset(k);
    return bus_map_pio(vm->bus, 0x60, 1, &data_ops, k) &&
           bus_map_pio(vm->bus, 0x64, 1, &status_ops, k);
}

void i8042_reset(struct i8042 *k) {
    ps2_keyboard_reset(&k->keyboard);
    ps2_mouse_reset(&k->mouse);
    for (unsigned i = 0; i < sizeof k->ram; i++)
        k->ram[i] = 0;
    /* As firmware leaves it: keyboard on with its interrupt and translation. */
    k->ram[0] = CB_KEYBOARD_IRQ | CB_SYS | CB_AUX_OFF | CB_TRANSLATE;
    k->command = k->output = 0;
    k->status = ST_SYS | ST_UNLOCK;
    update_irqs(k);
}
