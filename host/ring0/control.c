/*
 * Requests (control.h). They come in by interrupt, in ring 0, and are done in ring 1, at the kick
 * that follows.
 */
#include "host/ring0/control.h"

#include <stddef.h>

#include "host/channel.h"
#include "host/host.h"
#include "host/process/screen.h"
#include "host/ring0/limit.h"
#include "host/ring0/panic.h"
#include "host/ring0/sample.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"
#include "vmm/vm.h"

enum { CTRL_A = 1, TRIES = 3 };
enum { ASK_QUIT = 1, ASK_SCREEN = 2, ASK_KEYS = 4, ASK_PANIC = 8 };

static struct vm *subject;
static bool keys, prefix_seen, quit;
static uint32_t asked;

void control_watch(struct vm *vm, bool with_keys) {
    subject = vm;
    keys = with_keys;
}

static void ask(uint32_t what) {
    __atomic_fetch_or(&asked, what, __ATOMIC_SEQ_CST);
}

bool control_pending(void) {
    return __atomic_load_n(&asked, __ATOMIC_SEQ_CST) != 0;
}

bool control_quit_asked(void) {
    return quit || (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) & ASK_QUIT) != 0;
}

bool control_key(uint8_t *byte) {
    if (!keys)
        return true;
    if (!prefix_seen) {
        prefix_seen = *byte == CTRL_A;
        return !prefix_seen;
    }
    prefix_seen = false;
    switch (*byte) {
    case 'x':
    case 'X':
        ask(ASK_QUIT);
        return false;
    case 's':
    case 'S':
        ask(ASK_SCREEN);
        return false;
    case 'h':
    case 'H':
    case '?':
        ask(ASK_KEYS);
        return false;
    case 'a':
    case 'A':
    case CTRL_A:
        *byte = CTRL_A;
        return true;
    default:
        return false;
    }
}

bool control_interrupt(struct trap_frame *f) {
    uint8_t byte;

    while (serial_take(SERIAL_COM2, &byte)) {
        if (byte == CHANNEL_QUIT)
            ask(ASK_QUIT);
        else if (byte == CHANNEL_PANIC)
            ask(ASK_PANIC);
        else if (byte == CHANNEL_PANIC_THERE)
            panic_screen("asked for by SIGUSR2", f);
    }
    return control_pending();
}

/* Words to the user between those of the guest. What a full port does not take is lost. */
static void tell(const char *text, size_t n) {
    for (unsigned i = 0; i < TRIES; i++) {
        if (host_chr_write(SERIAL_COM1, (const uint8_t *)text, n))
            return;
        service_call(SERVICE_SERIAL, 0, 0);
    }
}

static void show_keys(void) {
    static const char text[] = "\r\nCtrl-A H  this list\r\n"
                               "Ctrl-A S  show the VGA text screen\r\n"
                               "Ctrl-A X  quit ringone\r\n"
                               "Ctrl-A A  send Ctrl-A to the guest\r\n";
    tell(text, sizeof text - 1);
}

static void show_screen(void) {
    static const char none[] = "\r\nThe screen is not in a text mode.\r\n";
    char row[SCREEN_ROW_BYTES];
    size_t n;
    unsigned i = 0;

    for (; (n = screen_row(subject, i, row)) != SCREEN_NO_ROW; i++) {
        tell("\r\n", 2);
        tell(row, n);
    }
    if (i == 0)
        tell(none, sizeof none - 1);
    else
        tell("\r\n", 2);
}

void host_poll(void) {
    uint32_t what;

    limit_check();
    sample_poll();
    if (!control_pending())
        return;
    what = __atomic_exchange_n(&asked, 0, __ATOMIC_SEQ_CST);
    if (what & ASK_PANIC)
        host_panic("asked for by SIGUSR1");
    if (what & ASK_QUIT) {
        quit = true;
        vm_request_stop(subject, VM_STOP_QUIT);
    }
    if (what & ASK_KEYS)
        show_keys();
    if (what & ASK_SCREEN)
        show_screen();
}
