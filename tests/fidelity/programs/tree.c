/* A tree with every attribute that files have, below a folder. What a file system does not know is left out there. */
#include "states.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static char path[512];

static const char *named(const char *top, const char *name) {
    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static int made(const char *top, const char *name, const char *text) {
    int fd = TRY(open(named(top, name), O_RDWR | O_CREAT | O_TRUNC, 0644));
    TRY(write(fd, text, strlen(text)));
    return fd;
}

static void attribute(const char *top, const char *file, const char *name, const void *value, size_t size) {
    if (setxattr(named(top, file), name, value, size, 0) && errno != EOPNOTSUPP) failed(name, __FILE__, __LINE__);
}

/* user::rw- user:1000:r-- group::r-- mask::r-- other::--- as the kernel keeps it */
static const unsigned char ACL[] = {
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
    16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
/* cap_net_bind_service=ep */
static const unsigned char CAPABILITY[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void flags(const char *top, const char *name, int wanted) {
    int had, fd = made(top, name, "with flags");
    if (ioctl(fd, FS_IOC_GETFLAGS, &had) == 0) {
        had |= wanted;
        if (ioctl(fd, FS_IOC_SETFLAGS, &had) && errno != EOPNOTSUPP && errno != EPERM) failed("flags", __FILE__, __LINE__);
    }
    close(fd);
}

void tree(const char *top) {
    struct timespec times[2] = {{1500000000, 123456789}, {1600000001, 987654321}};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    TRY(mkdir(top, 0755));
    int fd = made(top, "plain", "plain\n");
    TRY(fchown(fd, 1234, 5678));
    TRY(fchmod(fd, 06751));
    TRY(futimens(fd, times));
    close(fd);
    close(made(top, "attributes", "attributes\n"));
    attribute(top, "attributes", "user.color", "green", 5);
    attribute(top, "attributes", "user.bytes", "\0\1\377", 3);
    attribute(top, "attributes", "system.posix_acl_access", ACL, sizeof ACL);
    close(made(top, "able", "able\n"));
    attribute(top, "able", "security.capability", CAPABILITY, sizeof CAPABILITY);

    fd = made(top, "holes", "begin");
    TRY(ftruncate(fd, 8 << 20));
    TRY(pwrite(fd, "middle", 6, 4 << 20));
    close(fd);
    char other[512];
    close(made(top, "one-of-two", "one"));
    snprintf(other, sizeof other, "%s/two-of-two", top);
    TRY(link(named(top, "one-of-two"), other));
    TRY(symlink("no such place", named(top, "link")));
    TRY(utimensat(AT_FDCWD, named(top, "link"), times, AT_SYMLINK_NOFOLLOW));
    TRY(mkfifo(named(top, "fifo"), 0604));
    TRY(mknod(named(top, "null"), S_IFCHR | 0622, 1 << 8 | 3));
    snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", top);
    fd = TRY(socket(AF_UNIX, SOCK_STREAM, 0));
    TRY(bind(fd, (void *)&at, sizeof at));
    close(fd);
    TRY(mkdir(named(top, "folder"), 0));
    TRY(chmod(path, 03775));
    attribute(top, "folder", "user.of", "a folder", 8);
    attribute(top, "folder", "system.posix_acl_default", ACL, sizeof ACL);
    close(made(top, "folder/odd \n\t\377name", "odd"));
    close(made(top, ".hidden", ""));
    flags(top, "flagged", FS_NODUMP_FL | FS_NOATIME_FL);
    TRY(utimensat(AT_FDCWD, named(top, "folder"), times, 0));
}
