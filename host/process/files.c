/*
 * Reading the files of the command line (files.h). They are read rather than mapped, so that a file
 * that changes later changes nothing here.
 */
#include "host/process/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/firmware.h"

/* More than any guest can hold. */
static const uint64_t file_max = 4ull << 30;

/* Reads all of fd. False: errno says why. */
static bool read_all(int fd, struct load_blob *blob) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    size_t room = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 1 << 20;
    size_t size = 0;
    uint8_t *data = NULL;
    for (;;) {
        if (data == NULL || size == room) {
            room = data == NULL ? room : room * 2;
            uint8_t *more = room > file_max ? NULL : realloc(data, room);
            if (more == NULL) {
                free(data);
                errno = EFBIG;
                return false;
            }
            data = more;
        }
        ssize_t n = read(fd, data + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int why = errno;
            free(data);
            errno = why;
            return false;
        }
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *blob = (struct load_blob){data, size};
    return true;
}

bool files_read_one(const char *option, const char *path, struct load_blob *blob,
                    char message[OPTIONS_MESSAGE]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read_all(fd, blob)) {
        close(fd);
        return true;
    }
    snprintf(message, OPTIONS_MESSAGE, "%s: cannot read '%.150s': %s", option, path,
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

/* Cuts the next list element off *list, in place: up to a single comma, two commas becoming one. */
static char *next_element(char **list) {
    char *start = *list, *out = *list;
    const char *in = *list;
    while (*in != '\0' && (in[0] != ',' || in[1] == ',')) {
        in += *in == ',';
        *out++ = *in++;
    }
    *list = *in == ',' ? (char *)in + 1 : NULL;
    *out = '\0';
    return start;
}

/* "PATH ARGS" or "PATH": a module's command line is the whole, QEMU says. */
static bool read_module(char *element, struct load_module *m, char message[OPTIONS_MESSAGE]) {
    char *path = strdup(element);
    if (path == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-initrd: %s", strerror(errno));
        return false;
    }
    path[strcspn(path, " ")] = '\0';
    m->args = element;
    bool read = files_read_one("-initrd", path, &m->blob, message);
    free(path);
    return read;
}

/* The VGA BIOS of the package that the firmware came in stands beside it; it may be missing. */
static bool read_vga_bios(const char *bios, struct load_blob *blob, char message[OPTIONS_MESSAGE]) {
    static const char name[] = "vgabios-isavga.bin";
    const char *slash = strrchr(bios, '/');
    size_t folder = slash ? (size_t)(slash - bios) + 1 : 0;
    char *path = malloc(folder + sizeof name);
    if (path == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-bios: %s", strerror(errno));
        return false;
    }
    memcpy(path, bios, folder);
    memcpy(path + folder, name, sizeof name);
    bool read = access(path, F_OK) != 0 || files_read_one("-bios", path, blob, message);
    free(path);
    return read;
}

static bool read_bios(const struct options *o, struct files *f, char message[OPTIONS_MESSAGE]) {
    if (!files_read_one("-bios", o->bios, &f->bios, message))
        return false;
    if (f->bios.size >= FIRMWARE_ROM_MIN && f->bios.size <= FIRMWARE_ROM_MAX &&
        f->bios.size % FIRMWARE_ROM_MIN == 0)
        return read_vga_bios(o->bios, &f->vga_bios, message);
    snprintf(message, OPTIONS_MESSAGE, "-bios: '%.150s' is not a ROM of 64K, 128K, ... 16M",
             o->bios);
    return false;
}

bool files_read(const struct options *o, struct files *f, char message[OPTIONS_MESSAGE]) {
    f->request = (struct load_request){
        .kernel_name = o->kernel, .cmdline = o->append, .modules = f->modules};
    if (o->bios != NULL && !read_bios(o, f, message))
        return false;
    if (o->kernel == NULL)
        return true;
    if (!files_read_one("-kernel", o->kernel, &f->request.kernel, message))
        return false;
    if (o->initrd == NULL)
        return true;
    f->list = strdup(o->initrd);
    if (f->list == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-initrd: %s", strerror(errno));
        return false;
    }
    for (char *rest = f->list; rest != NULL;) {
        if (f->request.module_count == FILES_MODULES_MAX) {
            snprintf(message, OPTIONS_MESSAGE, "-initrd: more than %d files", FILES_MODULES_MAX);
            return false;
        }
        struct load_module *m = &f->modules[f->request.module_count++];
        if (!read_module(next_element(&rest), m, message))
            return false;
    }
    return true;
}

void files_release(struct files *f) {
    free((void *)f->request.kernel.data);
    for (unsigned i = 0; i < f->request.module_count; i++)
        free((void *)f->modules[i].blob.data);
    free(f->list);
    f->request = (struct load_request){0};
    f->list = NULL;
}
