/* Files with no name, or another name, or without a place; and descriptors of other things. */
#include "states.h"
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>

static int fd;
static char text[4096];

static const char *holds(int from, const char *what) {
    memset(text, 0, sizeof text);
    TRY(pread(from, text, sizeof text - 1, 0));
    return strcmp(text, what) ? said("it holds %.60s", text) : NULL;
}

static void unnamed_make(void) { fd = (int)TRY(open("/tmp", O_TMPFILE | O_RDWR, 0600)); TRY(write(fd, "unnamed", 7)); }
static const char *unnamed_differs(void) {
    char path[99];
    const char *no = holds(fd, "unnamed");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SAME(linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/named", AT_SYMLINK_FOLLOW), 0);
    return no;
}

static void other_name_make(void) {
    written("/tmp/first", "linked");
    TRY(link("/tmp/first", "/tmp/second"));
    fd = (int)TRY(open("/tmp/first", O_RDWR));
    TRY(unlink("/tmp/first"));
}
static const char *other_name_differs(void) {
    TRY(pwrite(fd, "LINKED", 6, 0));
    SAME(access("/tmp/first", F_OK), -1);
    return holds((int)TRY(open("/tmp/second", O_RDONLY)), "LINKED");
}

static void replaced_make(void) { /* as a package's upgrade, or an editor, does */
    written("/tmp/config", "old");
    fd = (int)TRY(open("/tmp/config", O_RDONLY));
    written("/tmp/config.new", "new");
    TRY(rename("/tmp/config.new", "/tmp/config"));
}
static const char *replaced_differs(void) {
    const char *no = holds(fd, "old");
    return no ? no : holds((int)TRY(open("/tmp/config", O_RDONLY)), "new");
}

static void folder_gone_make(void) { TRY(mkdir("/tmp/folder", 0700)); TRY(chdir("/tmp/folder")); TRY(rmdir("/tmp/folder")); }
static const char *folder_gone_differs(void) { struct stat is; TRY(stat(".", &is)); SAME(S_ISDIR(is.st_mode), 1); SAME(is.st_nlink, 0); return NULL; }

static void opened_gone_make(void) { TRY(mkdir("/tmp/folder", 0700)); fd = (int)TRY(open("/tmp/folder", O_RDONLY | O_DIRECTORY)); TRY(rmdir("/tmp/folder")); }
static const char *opened_gone_differs(void) { struct stat is; TRY(fstat(fd, &is)); SAME(S_ISDIR(is.st_mode), 1); return NULL; }

static DIR *list;
static char seen[400];
static void reads(int most) {
    struct dirent *entry;
    while (most-- && (entry = readdir(list))) if (entry->d_name[0] == 'f') seen[atoi(entry->d_name + 1)]++;
}
static void half_read_make(void) {
    char path[99];
    TRY(mkdir("/tmp/many", 0700));
    for (int i = 0; i < 400; i++) { snprintf(path, sizeof path, "/tmp/many/f%d-with-a-name-that-is-long-enough-to-need-more-than-one-call-of-getdents-for-all", i); written(path, ""); }
    TRY((list = opendir("/tmp/many")) ? 0 : -1);
    reads(10);
}
static const char *half_read_differs(void) {
    int twice = 0, never = 0;
    reads(10000);
    for (int i = 0; i < 400; i++) { twice += seen[i] > 1; never += !seen[i]; }
    return twice || never ? said("%d entries were read twice and %d never", twice, never) : NULL;
}

static int path_only;
static void path_only_make(void) {
    written("/tmp/plain", "plain");
    TRY(symlink("/tmp/plain", "/tmp/link"));
    fd = (int)TRY(open("/tmp/plain", O_PATH));
    path_only = (int)TRY(open("/tmp/link", O_PATH | O_NOFOLLOW));
}
static const char *path_only_differs(void) {
    struct stat is;
    TRY(fstat(fd, &is)); SAME(is.st_size, 5);
    SAME(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    TRY(fstat(path_only, &is)); SAME(S_ISLNK(is.st_mode), 1);
    return NULL;
}

static void rooted(void) { TRY(mkdir("/tmp/root", 0700)); TRY(chroot("/tmp/root")); TRY(chdir("/")); written("/inside", "x"); }
static pid_t other;
static void chroot_make(void) { other = child(rooted); usleep(100000); }
static const char *chroot_differs(void) { char path[99], at[99] = ""; snprintf(path, sizeof path, "/proc/%d/root", other); TRY(readlink(path, at, 98)); return strcmp(at, "/tmp/root") ? said("its root is %s", at) : NULL; }

static void gone_program(void) { TRY(execl("/tmp/program", "program", "heap-grows", NULL)); }
static void gone_program_make(void) {
    int from = (int)TRY(open("/proc/self/exe", O_RDONLY)), to = (int)TRY(open("/tmp/program", O_WRONLY | O_CREAT, 0700));
    for (long got; (got = TRY(read(from, text, sizeof text))); ) TRY(write(to, text, (size_t)got));
    close(to); close(from);
    other = child(gone_program);
    usleep(200000);
    TRY(unlink("/tmp/program"));
}
static const char *runs(void) { SAME(kill(other, 0), 0); SAME(waitpid(other, NULL, WNOHANG), 0); return NULL; }

static void cgroup_file_make(void) { fd = (int)TRY(open("/sys/fs/cgroup/cgroup.procs", O_RDONLY)); }
static const char *cgroup_file_differs(void) { TRY(pread(fd, text, 99, 0)); return atoi(text) ? NULL : said("it reads %.20s", text); }
static void pressure_make(void) { fd = (int)TRY(open("/proc/pressure/memory", O_RDWR)); TRY(write(fd, "some 150000 2000000", 20)); }
static void sysctl_make(void) { fd = (int)TRY(open("/proc/sys/net/core/somaxconn", O_RDONLY)); }
static const char *sysctl_differs(void) { TRY(pread(fd, text, 9, 0)); return NULL; }
static void sysfs_make(void) { fd = (int)TRY(open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY)); }
static void of_dead_make(void) { char path[99]; pid_t pid = (pid_t)TRY(fork()); if (!pid) for (;;) pause(); snprintf(path, sizeof path, "/proc/%d/stat", pid); fd = (int)TRY(open(path, O_RDONLY)); kill(pid, SIGKILL); waitpid(pid, NULL, 0); }
static const char *of_dead_differs(void) { SAME(read(fd, text, 9), -1); SAME(errno, ESRCH); return NULL; }

static int master, slave;
static void terminal_make(void) {
    struct winsize size = {33, 77, 0, 0};
    struct termios how;
    master = (int)TRY(posix_openpt(O_RDWR | O_NOCTTY));
    TRY(grantpt(master)); TRY(unlockpt(master));
    slave = (int)TRY(open(ptsname(master), O_RDWR | O_NOCTTY));
    TRY(tcgetattr(slave, &how));
    how.c_lflag &= ~(unsigned)(ICANON | ECHO);
    how.c_cc[VMIN] = 3;
    TRY(tcsetattr(slave, TCSANOW, &how));
    TRY(ioctl(master, TIOCSWINSZ, &size));
}
static const char *terminal_differs(void) {
    struct winsize size;
    struct termios how;
    TRY(ioctl(slave, TIOCGWINSZ, &size)); SAME(size.ws_col, 77);
    TRY(tcgetattr(slave, &how)); SAME(how.c_cc[VMIN], 3); SAME(how.c_lflag & (ICANON | ECHO), 0);
    return NULL;
}
static void typed_make(void) { terminal_make(); TRY(write(master, "typed", 5)); usleep(50000); TRY(write(slave, "printed", 7)); }
static const char *typed_differs(void) {
    int left = 0;
    usleep(50000);
    TRY(ioctl(slave, FIONREAD, &left)); SAME(left, 5);
    TRY(ioctl(master, FIONREAD, &left)); SAME(left, 7);
    return terminal_differs();
}
static void packets_make(void) { int on = 1; terminal_make(); TRY(ioctl(master, TIOCPKT, &on)); TRY(ioctl(slave, TIOCEXCL)); }
static const char *packets_differs(void) { int is = 0; TRY(ioctl(master, TIOCGPKT, &is)); SAME(is, 1); TRY(ioctl(slave, TIOCGEXCL, &is)); SAME(is, 1); return NULL; }

static int polls;
static void closed_poll_make(void) { /* what was registered goes on under its other number */
    int ends[2];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 9};
    TRY(pipe(ends));
    polls = (int)TRY(epoll_create1(0));
    TRY(epoll_ctl(polls, EPOLL_CTL_ADD, ends[0], &event));
    TRY(dup(ends[0]));
    close(ends[0]);
    fd = ends[1];
}
static const char *polled(void) {
    struct epoll_event event = {0};
    TRY(write(fd, "x", 1));
    SAME(epoll_wait(polls, &event, 1, 200), 1);
    SAME(event.data.u64, 9);
    return NULL;
}
static void nested_poll_make(void) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = 9};
    int ends[2], inner = (int)TRY(epoll_create1(0));
    TRY(pipe(ends));
    TRY(epoll_ctl(inner, EPOLL_CTL_ADD, ends[0], &event));
    polls = (int)TRY(epoll_create1(0));
    event.events = EPOLLIN;
    TRY(epoll_ctl(polls, EPOLL_CTL_ADD, inner, &event));
    fd = ends[1];
}

static int clocks[3];
static void clocks_make(void) {
    struct itimerspec far = {.it_value = {90000, 0}}, quick = {.it_value = {0, 1000}};
    clocks[0] = (int)TRY(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
    TRY(timerfd_settime(clocks[0], 0, &far, NULL));
    clocks[1] = (int)TRY(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    TRY(timerfd_settime(clocks[1], 0, &quick, NULL)); /* has fired, and nobody has read it */
    usleep(20000);
}
static const char *clocks_differs(void) {
    struct itimerspec is;
    unsigned long ticks = 0;
    TRY(timerfd_gettime(clocks[0], &is));
    if (is.it_value.tv_sec < 89000 || is.it_value.tv_sec > 90000) return said("%ld s are left", is.it_value.tv_sec);
    SAME(read(clocks[1], &ticks, 8), 8);
    SAME(ticks, 1);
    return NULL;
}

static int watcher;
static void watch_gone_make(void) { written("/vol/watched", ""); fd = (int)TRY(open("/vol/watched", O_RDONLY)); watcher = (int)TRY(inotify_init1(IN_NONBLOCK)); TRY(inotify_add_watch(watcher, "/vol/watched", IN_DELETE_SELF | IN_CLOSE)); TRY(unlink("/vol/watched")); while (read(watcher, text, sizeof text) > 0) continue; }
static const char *watch_gone_differs(void) { close(fd); SAME(read(watcher, text, sizeof text) > 0, 1); return NULL; }
static void watch_shm_make(void) { TRY(mkdir("/dev/shm/watched", 0700)); watcher = (int)TRY(inotify_init1(IN_NONBLOCK)); TRY(inotify_add_watch(watcher, "/dev/shm/watched", IN_CREATE)); }
static const char *watch_shm_differs(void) { written("/dev/shm/watched/new", ""); SAME(read(watcher, text, sizeof text) > 0, 1); return NULL; }

static void mounted_make(void) { TRY(mkdir("/tmp/at", 0700)); TRY(mount("none", "/tmp/at", "tmpfs", 0, "size=1m")); written("/tmp/at/file", "in a tmpfs"); }
static const char *mounted_differs(void) { return holds((int)TRY(open("/tmp/at/file", O_RDONLY)), "in a tmpfs"); }
static void bound_make(void) { TRY(mkdir("/tmp/from", 0700)); TRY(mkdir("/tmp/at", 0700)); written("/tmp/from/file", "bound"); TRY(mount("/tmp/from", "/tmp/at", NULL, MS_BIND, NULL)); }
static const char *bound_differs(void) { return holds((int)TRY(open("/tmp/at/file", O_RDONLY)), "bound"); }
static void layered_make(void) {
    TRY(mount("none", "/tmp", "tmpfs", 0, "size=1m"));
    TRY(mkdir("/tmp/up", 0700)); TRY(mkdir("/tmp/work", 0700)); TRY(mkdir("/tmp/low", 0700)); TRY(mkdir("/tmp/at", 0700));
    written("/tmp/low/file", "layered");
    TRY(mount("none", "/tmp/at", "overlay", 0, "lowerdir=/tmp/low,upperdir=/tmp/up,workdir=/tmp/work"));
}
static const char *layered_differs(void) { return holds((int)TRY(open("/tmp/at/file", O_RDONLY)), "layered"); }
static void read_only_make(void) { TRY(mount(NULL, "/vol", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)); }
static const char *read_only_differs(void) { SAME(open("/vol/x", O_CREAT | O_WRONLY, 0600), -1); return NULL; }

static void lock_in_two(void) {}
static void lock_make(void) { fd = (int)TRY(open("/vol/lock", O_RDWR | O_CREAT, 0600)); TRY(flock(fd, LOCK_EX)); other = child(lock_in_two); usleep(50000); close(fd); }
static const char *lock_differs(void) {
    int again = (int)TRY(open("/vol/lock", O_RDWR));
    SAME(flock(again, LOCK_EX | LOCK_NB), -1);
    kill(other, SIGKILL); waitpid(other, NULL, 0);
    SAME(flock(again, LOCK_EX | LOCK_NB), 0);
    return NULL;
}
static void waits_for_lock(void) { close(fd); int mine = (int)TRY(open("/vol/lock", O_RDWR)); TRY(flock(mine, LOCK_EX)); written("/vol/got-it", ""); }
static void waiting_make(void) { fd = (int)TRY(open("/vol/lock", O_RDWR | O_CREAT, 0600)); TRY(flock(fd, LOCK_EX)); other = child(waits_for_lock); usleep(100000); }
static const char *waiting_differs(void) { SAME(access("/vol/got-it", F_OK), -1); close(fd); usleep(300000); SAME(access("/vol/got-it", F_OK), 0); return NULL; }

static void lease_make(void) { written("/vol/leased", ""); fd = (int)TRY(open("/vol/leased", O_RDWR)); TRY(fcntl(fd, F_SETLEASE, F_WRLCK)); }
static const char *lease_differs(void) { SAME(fcntl(fd, F_GETLEASE), F_WRLCK); return NULL; }

static void appended_make(void) { fd = (int)TRY(open("/vol/log", O_WRONLY | O_CREAT | O_APPEND | O_DIRECT | O_DSYNC, 0600)); }
static const char *appended_differs(void) { SAME(fcntl(fd, F_GETFL) & (O_APPEND | O_DIRECT | O_DSYNC), O_APPEND | O_DIRECT | O_DSYNC); return NULL; }

static int ends[2];
static void pipe_make(void) { TRY(pipe(ends)); TRY(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20)); memset(text, 'x', sizeof text); for (int i = 0; i < 100; i++) TRY(write(ends[1], text, 3000)); }
static const char *pipe_differs(void) { int left; TRY(ioctl(ends[0], FIONREAD, &left)); SAME(left, 300000); SAME(fcntl(ends[1], F_GETPIPE_SZ), 1 << 20); return NULL; }
static void half_fifo(void) { TRY(open("/vol/fifo", O_RDONLY)); written("/vol/opened", ""); }
static void fifo_make(void) { TRY(mkfifo("/vol/fifo", 0600)); other = child(half_fifo); usleep(100000); }
static const char *fifo_differs(void) { SAME(access("/vol/opened", F_OK), -1); TRY(open("/vol/fifo", O_WRONLY)); usleep(300000); SAME(access("/vol/opened", F_OK), 0); return NULL; }

const struct state files[] = {
    {"unnamed-file", unnamed_make, unnamed_differs},
    {"other-name", other_name_make, other_name_differs},
    {"replaced-file", replaced_make, replaced_differs},
    {"folder-gone", folder_gone_make, folder_gone_differs},
    {"opened-folder-gone", opened_gone_make, opened_gone_differs},
    {"half-read-folder", half_read_make, half_read_differs},
    {"path-only", path_only_make, path_only_differs},
    {"chroot", chroot_make, chroot_differs},
    {"program-gone", gone_program_make, runs},
    {"cgroup-file", cgroup_file_make, cgroup_file_differs},
    {"pressure", pressure_make, sysctl_differs},
    {"sysctl-file", sysctl_make, sysctl_differs},
    {"sysfs-file", sysfs_make, sysctl_differs},
    {"proc-of-dead", of_dead_make, of_dead_differs},
    {"terminal", terminal_make, terminal_differs},
    {"typed", typed_make, typed_differs},
    {"packet-terminal", packets_make, packets_differs},
    {"closed-poll", closed_poll_make, polled},
    {"nested-poll", nested_poll_make, polled},
    {"timerfds", clocks_make, clocks_differs},
    {"watch-gone", watch_gone_make, watch_gone_differs},
    {"watch-shm", watch_shm_make, watch_shm_differs},
    {"tmpfs-inside", mounted_make, mounted_differs},
    {"bind-inside", bound_make, bound_differs},
    {"overlay-inside", layered_make, layered_differs},
    {"remounted", read_only_make, read_only_differs},
    {"lock-of-two", lock_make, lock_differs},
    {"lock-waited-for", waiting_make, waiting_differs},
    {"write-lease", lease_make, lease_differs},
    {"direct-file", appended_make, appended_differs},
    {"full-pipe", pipe_make, pipe_differs},
    {"fifo-waited-for", fifo_make, fifo_differs},
    {0},
};
