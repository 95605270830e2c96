/* PS/2 keyboard and mouse; see ps2.h. */
#include "devices/ps2.h"

#include <stddef.h>

#define ACK       0xfau
#define RESEND    0xfeu
#define SELF_TEST 0xaau
#define ECHO      0xeeu

static void send(struct ps2_queue *q, uint8_t value) {
    if (q->count < PS2_QUEUE) /* a device that is not read drops what it cannot keep */
        q->bytes[(q->head + q->count++) % PS2_QUEUE] = value;
}

bool ps2_take(struct ps2_queue *q, uint8_t *value) {
    if (q->count == 0)
        return false;
    *value = q->bytes[q->head];
    q->head = (q->head + 1) % PS2_QUEUE;
    q->count--;
    return true;
}

/* -- keyboard -- */

static void keyboard_defaults(struct ps2_keyboard *k) {
    k->waiting = 0;
    k->scan_set = 2;
    k->leds = 0;
    k->typematic = 0x2b;
}

void ps2_keyboard_reset(struct ps2_keyboard *k) {
    *k = (struct ps2_keyboard){.scanning = true};
    keyboard_defaults(k);
}

static void keyboard_parameter(struct ps2_keyboard *k, uint8_t value) {
    uint8_t command = k->waiting;
    k->waiting = 0;
    if (command == 0xf0 && value > 3) {
        send(&k->out, RESEND);
        return;
    }
    send(&k->out, ACK);
    if (command == 0xed)
        k->leds = value & 7;
    else if (command == 0xf3)
        k->typematic = value & 0x7f;
    else if (value == 0)
        send(&k->out, k->scan_set);
    else
        k->scan_set = value;
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t value) {
    if (k->waiting && value < 0x80) {
        keyboard_parameter(k, value);
        return;
    }
    k->waiting = 0;
    k->out.count = 0; /* a command cancels what was still to be sent */
    switch (value) {
    case 0xed: /* LEDs, scan code set, typematic: a parameter follows */
    case 0xf0:
    case 0xf3:
        k->waiting = value;
        send(&k->out, ACK);
        break;
    case ECHO:
        send(&k->out, ECHO);
        break;
    case 0xf2: /* identify */
        send(&k->out, ACK);
        send(&k->out, 0xab);
        send(&k->out, 0x83);
        break;
    case 0xf4: /* enable */
        k->scanning = true;
        send(&k->out, ACK);
        break;
    case 0xf5: /* defaults, and stop */
    case 0xf6: /* defaults */
        keyboard_defaults(k);
        k->scanning = value == 0xf6;
        send(&k->out, ACK);
        break;
    case 0xf7: /* key types of scan code set 3 */
    case 0xf8:
    case 0xf9:
    case 0xfa:
        send(&k->out, ACK);
        break;
    case 0xff:
        ps2_keyboard_reset(k);
        send(&k->out, ACK);
        send(&k->out, SELF_TEST);
        break;
    default:
        send(&k->out, RESEND);
        break;
    }
}

/* -- mouse -- */

static void mouse_defaults(struct ps2_mouse *m) {
    m->waiting = 0;
    m->rate = 100;
    m->resolution = 2;
    m->reporting = m->remote = m->scaling_2_1 = m->wrap = false;
}

void ps2_mouse_reset(struct ps2_mouse *m) {
    *m = (struct ps2_mouse){0};
    mouse_defaults(m);
}

static void mouse_send_status(struct ps2_mouse *m) {
    send(&m->out, (uint8_t)(m->remote << 6 | m->reporting << 5 | m->scaling_2_1 << 4));
    send(&m->out, m->resolution);
    send(&m->out, m->rate);
}

/* Commands that answer with more than an acknowledge. */
static void mouse_answer(struct ps2_mouse *m, uint8_t command) {
    switch (command) {
    case 0xe9:
        mouse_send_status(m);
        break;
    case 0xeb: /* a report: no button, no movement */
        send(&m->out, 0x08);
        send(&m->out, 0);
        send(&m->out, 0);
        break;
    case 0xf2: /* a mouse without a wheel */
        send(&m->out, 0);
        break;
    case 0xff:
        send(&m->out, SELF_TEST);
        send(&m->out, 0);
        break;
    default:
        break;
    }
}

static bool mouse_command(struct ps2_mouse *m, uint8_t command) {
    switch (command) {
    case 0xe6:
    case 0xe7:
        m->scaling_2_1 = command == 0xe7;
        return true;
    case 0xe8: /* resolution, rate: a parameter follows */
    case 0xf3:
        m->waiting = command;
        return true;
    case 0xea:
    case 0xf0:
        m->remote = command == 0xf0;
        return true;
    case 0xee:
        m->wrap = true;
        return true;
    case 0xf4:
    case 0xf5:
        m->reporting = command == 0xf4;
        return true;
    case 0xf6:
        mouse_defaults(m);
        return true;
    case 0xff:
        ps2_mouse_reset(m);
        return true;
    default:
        return command == 0xe9 || command == 0xeb || command == 0xec || command == 0xf2;
    }
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t value) {
    if (m->wrap && value != 0xff && value != 0xec) {
        send(&m->out, value);
        return;
    }
    m->wrap = false;
    m->out.count = 0;
    if (m->waiting) {
        if (m->waiting == 0xe8)
            m->resolution = value & 3;
        else
            m->rate = value;
        m->waiting = 0;
        send(&m->out, ACK);
    } else if (mouse_command(m, value)) {
        send(&m->out, ACK);
        mouse_answer(m, value);
    } else {
        send(&m->out, RESEND);
    }
}
