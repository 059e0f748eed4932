/* Open files of every kind, with positions, flags, locks and what waits to be read. */
#include "states.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int opened(const char *path, int flags) { return TRY(open(path, flags, 0640)); }

static void locks(void) {
    struct flock range = {.l_type = F_WRLCK, .l_start = 5, .l_len = 10};
    int posix = opened("/data/locked-posix", O_RDWR | O_CREAT);
    TRY(fcntl(posix, F_SETLK, &range));
    TRY(flock(opened("/data/locked-flock", O_RDWR | O_CREAT), LOCK_EX));
    range.l_pid = 0;
    range.l_type = F_RDLCK;
    TRY(fcntl(opened("/data/locked-ofd", O_RDWR | O_CREAT), F_OFD_SETLK, &range));
    close(opened("/data/leased", O_RDWR | O_CREAT));
    TRY(fcntl(opened("/data/leased", O_RDONLY), F_SETLEASE, F_RDLCK));
}

static void regular(void) {
    int at = opened("/data/positioned", O_RDWR | O_CREAT);
    TRY(write(at, "0123456789abcdef", 16));
    TRY(lseek(at, 9, SEEK_SET));
    TRY(dup(at)); /* one position for both */
    int append = opened("/data/appended", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_SYNC | O_NOATIME);
    TRY(write(append, "line\n", 5));
    TRY(fcntl(append, F_SETFL, O_APPEND | O_NONBLOCK));
    opened("/data", O_RDONLY | O_DIRECTORY);
    opened("/data/positioned", O_RDONLY | O_NOFOLLOW);
    int gone = opened("/data/gone", O_RDWR | O_CREAT);
    TRY(write(gone, "deleted, and open", 17));
    TRY(unlink("/data/gone"));
    int left = opened("/in-rootfs", O_RDWR | O_CREAT | O_EXCL);
    TRY(write(left, "in the root filesystem", 22));
    opened("/dev/shm/opened", O_RDWR | O_CREAT);
    opened("/dev/null", O_WRONLY);
    opened("/dev/urandom", O_RDONLY);
    opened("/proc/self/status", O_RDONLY);
}

static void pipes(void) {
    int ends[2];
    TRY(pipe2(ends, O_NONBLOCK));
    TRY(fcntl(ends[1], F_SETPIPE_SZ, 256 << 10));
    TRY(write(ends[1], "waits in the pipe", 17));
    TRY(pipe2(ends, 0));
    close(ends[1]); /* its end is at the end of file */
    TRY(mkfifo("/data/open-fifo", 0620));
    int fifo = opened("/data/open-fifo", O_RDWR);
    TRY(write(fifo, "waits in the fifo", 17));
}

static void events(void) {
    int counter = TRY(eventfd(41, EFD_NONBLOCK));
    int votes = TRY(eventfd(3, EFD_SEMAPHORE));
    int clock = TRY(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    struct itimerspec armed = {.it_interval = {3, 1}, .it_value = {70000, 0}};
    TRY(timerfd_settime(clock, 0, &armed, NULL));
    int wall = TRY(timerfd_create(CLOCK_REALTIME, 0));
    armed.it_value.tv_sec = 4000000000;
    TRY(timerfd_settime(wall, TFD_TIMER_ABSTIME, &armed, NULL));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int signals = TRY(signalfd(-1, &set, SFD_NONBLOCK));
    int watcher = TRY(inotify_init1(IN_CLOEXEC));
    TRY(inotify_add_watch(watcher, "/data", IN_CREATE | IN_DELETE | IN_ONLYDIR));
    TRY(inotify_add_watch(watcher, "/data/positioned", IN_MODIFY | IN_ONESHOT));
    int poll = TRY(epoll_create1(EPOLL_CLOEXEC));
    int all[] = {counter, votes, clock, signals, watcher};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct epoll_event event = {.events = EPOLLIN | (i ? EPOLLET : EPOLLONESHOT), .data.u64 = 0xabcd0000 + i};
        TRY(epoll_ctl(poll, EPOLL_CTL_ADD, all[i], &event));
    }
}

void descriptors(void) {
    int high = TRY(fcntl(0, F_DUPFD, 500)); /* numbers have gaps */
    (void)high;
    regular();
    pipes();
    events();
    locks();
    int owned = opened("/data/open-fifo", O_RDWR | O_NONBLOCK);
    TRY(fcntl(owned, F_SETOWN, getpid()));
    TRY(fcntl(owned, F_SETSIG, SIGRTMIN + 5));
    int sealed = TRY(memfd_create("sealed too", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    TRY(write(sealed, "in a memfd", 10));
    TRY(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
}
