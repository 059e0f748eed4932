/* odd MODE [ARG]: a program that holds one thing CRIU cannot dump, and does nothing else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    }
    puts("ready"); fflush(stdout);
    for (;;) pause();
}
