/*
 * Memory objects, in large pages where the host can.
 *
 * Linux gives memfd_create(2) no large pages unless an administrator has asked for them, but gives
 * them to a tmpfs that was mounted with huge=always, and any process may mount one in a user
 * namespace of its own (user_namespaces(7)). A child does that, so that the VMM itself stays where
 * it is, and passes on the directory; the mount lasts as long as somebody has it open.
 *
 * Where that is not allowed, memfd_create(2) it is.
 */
#include "host/process/memory_object.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_DIRECTORY = -1, NOT_TRIED = -2 };

static int directory = NOT_TRIED;

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

/* Whoever makes files on a file system must have a number in its user namespace. */
static bool map_self(unsigned uid, unsigned gid) {
    char users[32], groups[32];

    snprintf(users, sizeof users, "0 %u 1", uid);
    snprintf(groups, sizeof groups, "0 %u 1", gid);
    return write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", users) &&
           write_file("/proc/self/gid_map", groups);
}

/* A tmpfs in large pages, of any size, mounted nowhere; -1: not allowed. */
static int mount_tmpfs(void) {
    unsigned uid = getuid(), gid = getgid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !map_self(uid, gid))
        return -1;
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "huge", "always", 0) != 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "size", "0", 0) != 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return -1;
    return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/* One byte with a descriptor beside it: unix(7), SCM_RIGHTS. */
struct parcel {
    struct msghdr header;
    struct iovec io;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static struct msghdr *parcel_init(struct parcel *p) {
    memset(p, 0, sizeof *p);
    p->io = (struct iovec){.iov_base = &p->byte, .iov_len = 1};
    p->header = (struct msghdr){.msg_iov = &p->io,
                                .msg_iovlen = 1,
                                .msg_control = p->control,
                                .msg_controllen = sizeof p->control};
    return &p->header;
}

static void send_descriptor(int socket, int fd) {
    struct parcel p;
    struct msghdr *h = parcel_init(&p);
    struct cmsghdr *c = CMSG_FIRSTHDR(h);

    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    sendmsg(socket, h, 0);
}

/* -1: none came. */
static int receive_descriptor(int socket) {
    struct parcel p;
    struct msghdr *h = parcel_init(&p);
    int fd = -1;

    ssize_t n = recvmsg(socket, h, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(h) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static int find_directory(void) {
    int pair[2];

#ifdef RINGONE_SHORT_LIFE
    return NO_DIRECTORY; /* it would take longer than the rest of the life */
#endif
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return NO_DIRECTORY;
    pid_t child = fork();
    if (child == 0) {
        int fd = mount_tmpfs();
        if (fd >= 0)
            send_descriptor(pair[1], fd);
        _exit(0);
    }
    close(pair[1]);
    int fd = child > 0 ? receive_descriptor(pair[0]) : NO_DIRECTORY;
    close(pair[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}

static int sized(int fd, uint64_t bytes) {
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int memory_object_small(const char *name, uint64_t bytes) {
    return sized(memfd_create(name, MFD_CLOEXEC), bytes);
}

int memory_object(const char *name, uint64_t bytes) {
    if (directory == NOT_TRIED)
        directory = find_directory();
    if (directory >= 0) {
        int fd = sized(openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), bytes);
        if (fd >= 0) {
            unlinkat(directory, name, 0);
            return fd;
        }
    }
    return memory_object_small(name, bytes);
}

void memory_object_done(void) {
    if (directory >= 0)
        close(directory);
    directory = NO_DIRECTORY;
}
