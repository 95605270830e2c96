/*
 * Reading the files of the command line (files.h). They are read rather than mapped: a file that
 * shrinks would take a page of the mapping with it.
 */
#include "host/process/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "vmm/firmware.h"

/* More than any guest can hold. */
static const uint64_t file_max = 4ull << 30;

/* Memory from malloc: in large pages where it is worth it, since a first access to a page costs as
 * much as the reading. */
static uint8_t *allocate(size_t bytes) {
    enum { LARGE_PAGE = 2 << 20 };
    if (bytes < LARGE_PAGE)
        return malloc(bytes);
    bytes = (bytes + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1);
    uint8_t *data = aligned_alloc(LARGE_PAGE, bytes);
    if (data != NULL)
        madvise(data, bytes, MADV_HUGEPAGE); /* if the kernel does */
    return data;
}

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
            uint8_t *more = room > file_max ? NULL : data ? realloc(data, room) : allocate(room);
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

static void say_unreadable(const char *option, const char *path, char message[OPTIONS_MESSAGE]) {
    snprintf(message, OPTIONS_MESSAGE, "%s: cannot read '%.150s': %s", option, path,
             strerror(errno));
}

static void say_changed(const char *option, const char *path, char message[OPTIONS_MESSAGE]) {
    snprintf(message, OPTIONS_MESSAGE, "%s: '%.150s' has changed; the guest cannot start with it",
             option, path);
}

/* Reads a file; returns its descriptor, or -1 with a message. */
static int open_and_read(const char *option, const char *path, struct load_blob *blob,
                         char message[OPTIONS_MESSAGE]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read_all(fd, blob))
        return fd;
    say_unreadable(option, path, message);
    if (fd >= 0)
        close(fd);
    return -1;
}

bool files_read_one(const char *option, const char *path, struct load_blob *blob,
                    char message[OPTIONS_MESSAGE]) {
    int fd = open_and_read(option, path, blob, message);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Keeps a descriptor of what can be read again: a regular file. */
static void remember_source(struct file_source *s, int fd) {
    s->again = fstat(fd, &s->as_found) == 0 && S_ISREG(s->as_found.st_mode);
    s->fd = fd;
    if (!s->again)
        close(fd);
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is the file what it was at first? */
static bool is_unchanged(const struct file_source *s) {
    struct stat now;
    return fstat(s->fd, &now) == 0 && now.st_size == s->as_found.st_size &&
           same_time(&now.st_mtim, &s->as_found.st_mtim) &&
           same_time(&now.st_ctim, &s->as_found.st_ctim);
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

/* A regular file waits to be read, unless it seems empty, as those of /proc do. */
static bool open_module(const char *path, struct load_blob *blob, struct file_source *s,
                        char message[OPTIONS_MESSAGE]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    s->fd = fd;
    s->again = fd >= 0 && fstat(fd, &s->as_found) == 0 && S_ISREG(s->as_found.st_mode) &&
               s->as_found.st_size != 0;
    if (s->again) {
        *blob = (struct load_blob){NULL, (uint64_t)s->as_found.st_size};
        return true;
    }
    bool read = fd >= 0 && read_all(fd, blob);
    if (!read)
        say_unreadable("-initrd", path, message);
    if (fd >= 0)
        close(fd);
    return read;
}

/* "PATH ARGS" or "PATH": a module's command line is the whole, QEMU says. */
static bool find_module(char *element, struct load_module *m, struct file_source *source,
                        char message[OPTIONS_MESSAGE]) {
    char *path = strdup(element);
    if (path == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-initrd: %s", strerror(errno));
        return false;
    }
    path[strcspn(path, " ")] = '\0';
    m->args = element;
    bool found = open_module(path, &m->blob, source, message);
    free(path);
    return found;
}

/* Half of it is cleared beside this thread while the other half is read. */
static bool read_to(int fd, uint8_t *to, uint64_t size) {
    uint64_t half = (size / 2 + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (half < size)
        host_present(to + half, size - half);
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(fd, to + at, size - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        errno = 0;
        if (n == 0) /* it is shorter now */
            return false;
        at += (uint64_t)n;
    }
    return true;
}

static bool read_module(void *context, unsigned n, uint8_t *to) {
    struct files *f = context;
    const struct file_source *s = &f->sources[n];
    bool read = read_to(s->fd, to, f->modules[n].blob.size);
    if (read && is_unchanged(s))
        return true;
    if (errno != 0)
        say_unreadable("-initrd", f->modules[n].args, f->message);
    else
        say_changed("-initrd", f->modules[n].args, f->message);
    return false;
}

/* The VGA BIOS of the package that the firmware came in stands beside it; it may be missing. */
char *files_vga_bios(const char *bios) {
    static const char name[] = "vgabios-isavga.bin";
    const char *slash = strrchr(bios, '/');
    size_t folder = slash ? (size_t)(slash - bios) + 1 : 0;
    char *path = malloc(folder + sizeof name);
    if (path == NULL)
        return NULL;
    memcpy(path, bios, folder);
    memcpy(path + folder, name, sizeof name);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static bool read_vga_bios(const char *bios, struct load_blob *blob, char message[OPTIONS_MESSAGE]) {
    char *path = files_vga_bios(bios);
    bool read = path == NULL || files_read_one("-bios", path, blob, message);
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
    f->request = (struct load_request){.kernel_name = o->kernel,
                                       .cmdline = o->append,
                                       .modules = f->modules,
                                       .read_module = read_module,
                                       .context = f};
    if (o->bios != NULL && !read_bios(o, f, message))
        return false;
    if (o->kernel == NULL)
        return true;
    int fd = open_and_read("-kernel", o->kernel, &f->request.kernel, message);
    if (fd < 0)
        return false;
    remember_source(&f->kernel_source, fd);
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
        unsigned n = f->request.module_count++;
        if (!find_module(next_element(&rest), &f->modules[n], &f->sources[n], message))
            return false;
    }
    return true;
}

void files_put_away(struct files *f) {
    if (!f->kernel_source.again)
        return;
    free((void *)f->request.kernel.data);
    f->request.kernel = (struct load_blob){0};
}

bool files_fetch(struct files *f, char message[OPTIONS_MESSAGE]) {
    const struct file_source *s = &f->kernel_source;
    if (!s->again || f->request.kernel.data != NULL)
        return true;
    if (lseek(s->fd, 0, SEEK_SET) != 0 || !read_all(s->fd, &f->request.kernel)) {
        say_unreadable("-kernel", f->request.kernel_name, message);
        return false;
    }
    if (is_unchanged(s))
        return true;
    say_changed("-kernel", f->request.kernel_name, message);
    return false;
}

static void release(struct file_source *s, struct load_blob *blob) {
    free((void *)blob->data);
    if (s->again)
        close(s->fd);
    s->again = false;
}

void files_release(struct files *f) {
    release(&f->kernel_source, &f->request.kernel);
    for (unsigned i = 0; i < f->request.module_count; i++)
        release(&f->sources[i], &f->modules[i].blob);
    free(f->list);
    f->request = (struct load_request){0};
    f->list = NULL;
}
