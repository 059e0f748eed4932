/* odd MODE [ARG]: a program that holds one thing CRIU cannot dump, and does nothing else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) { perror(what); exit(1); }

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
    if (!strcmp(mode, "io_uring")) {
        char params[120] = {0};
        if (syscall(425, 8, params) < 0) die("io_uring_setup");
    } else if (!strcmp(mode, "deleted")) {
        int fd = open("/gone", O_RDWR | O_CREAT | O_TRUNC, 0600);
        static char block[65536]; memset(block, 7, sizeof block);
        for (long left = atol(arg); left > 0; left -= sizeof block)
            if (write(fd, block, sizeof block) < 0) die("write");
        if (unlink("/gone") < 0) die("unlink");
    } else if (!strcmp(mode, "inotify")) {
        int fd = inotify_init1(0);
        if (inotify_add_watch(fd, arg, IN_CREATE) < 0) die("inotify_add_watch");
    } else if (!strcmp(mode, "unix")) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        strncpy(to.sun_path, arg, sizeof to.sun_path - 1);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (void *)&to, sizeof to) < 0) die("connect");
    } else if (!strcmp(mode, "listen")) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        strncpy(at.sun_path, arg, sizeof at.sun_path - 1);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        unlink(arg);
        if (bind(fd, (void *)&at, sizeof at) < 0 || listen(fd, 8) < 0) die("bind");
        for (;;) accept(fd, 0, 0);
        for (;;) accept(fd, 0, 0);
    } else if (!strcmp(mode, "open")) {
        if (open(arg, O_RDONLY) < 0) die("open");
    } else if (!strcmp(mode, "traced")) {
        pid_t child = fork();
        if (child == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); for (;;) pause(); }
    } else if (!strcmp(mode, "userfaultfd")) {
        if (syscall(323, O_CLOEXEC | 1) < 0) die("userfaultfd");
    } else if (!strcmp(mode, "nested")) {
        if (unshare(CLONE_NEWPID) < 0) die("unshare");
        if (fork() == 0) { unshare(CLONE_NEWUTS); memset(malloc(48 << 20), 7, 48 << 20); for (;;) pause(); }
    } else if (!strcmp(mode, "backlog")) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7001)};
        int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(fd, (void *)&at, sizeof at) < 0 || listen(fd, 8) < 0) die("bind");
        if (connect(other, (void *)&at, sizeof at) < 0) die("connect");
    } else if (!strcmp(mode, "vsock")) {
        if (socket(40, SOCK_STREAM, 0) < 0) die("vsock");
    } else if (!strcmp(mode, "corked")) {
        int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
        if (setsockopt(fd, IPPROTO_UDP, 1, &on, sizeof on) < 0) die("cork");
    } else if (!strcmp(mode, "unread")) {
        if (inotify_add_watch(inotify_init1(0), "/tmp", IN_CREATE) < 0) die("inotify_add_watch");
        if (creat("/tmp/new", 0600) < 0) die("creat");
    } else if (!strcmp(mode, "options")) {
        unsigned wait = 5000;
        struct ip_mreq to = {.imr_multiaddr.s_addr = inet_addr("239.1.2.3")};
        int stream = socket(AF_INET, SOCK_STREAM, 0);
        if (setsockopt(stream, IPPROTO_TCP, TCP_USER_TIMEOUT, &wait, sizeof wait) < 0) die("t");
        if (setsockopt(stream, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) < 0) die("reno");
        if (setsockopt(socket(AF_INET, SOCK_DGRAM, 0), 0, IP_ADD_MEMBERSHIP, &to, sizeof to) < 0) die("join");
    } else if (!strcmp(mode, "queue")) {
        mqd_t queue = mq_open("/left", O_CREAT | O_RDWR, 0600, 0);
        if (queue < 0 || mq_send(queue, "x", 1, 0) < 0 || mq_close(queue) < 0) die("mq");
    } else if (!strcmp(mode, "sqlite")) {
        char page[512] = "SQLite format 3";
        page[18] = page[19] = atoi(arg); /* 1: rollback journal, 2: write-ahead log */
        int fd = open("/base", O_RDWR | O_CREAT, 0600);
        if (write(fd, page, sizeof page) != sizeof page) die("write");
    } else if (!strcmp(mode, "secret")) {
        int fd = syscall(447, 0);
        if (fd < 0 || ftruncate(fd, 4096) < 0) die("memfd_secret");
        if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED) die("mmap");
    }
    puts("ready"); fflush(stdout);
    for (;;) pause();
}
