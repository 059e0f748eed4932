/* epoll over eventfd, signalfd, pidfd, pipes and nested epoll, with unread data and blocked, pending signals. */
#include "answers.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

static int counter, semaphore, wake[2];

static void *make_events(void *unused) {
    (void)unused;
    for (;;) {
        uint64_t one = 1;
        if (write(counter, &one, 8) != 8 || write(semaphore, &one, 8) != 8 || write(wake[1], "x", 1) != 1) wrong("a write failed");
        kill(getpid(), SIGUSR1);
        usleep(2000);
    }
}

int main(int count, char **arguments) {
    sigset_t signals;
    struct signalfd_siginfo got;
    struct epoll_event event = {.events = EPOLLIN}, ready[8];
    pthread_t thread;
    int full[2], inner = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0);
    long summed = 0, taken = 0, bytes = 0, caught = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    kill(getpid(), SIGUSR2); /* stays pending for ever */
    sigdelset(&signals, SIGUSR2);
    int signaled = signalfd(-1, &signals, 0);
    counter = eventfd(0, 0);
    semaphore = eventfd(0, EFD_SEMAPHORE);
    if (pipe(wake) || pipe(full) || write(full[1], "unread", 6) != 6) fail("pipe");
    int watched[] = {counter, semaphore, wake[0], signaled};
    for (int i = 0; i < 4; i++) {
        event.data.fd = watched[i];
        if (epoll_ctl(inner, EPOLL_CTL_ADD, watched[i], &event)) fail("epoll_ctl");
    }
    event.data.fd = inner;
    event.events = EPOLLIN | EPOLLET;
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    int handle = -1;
    if (count > 1 && !strcmp(arguments[1], "pidfd")) {
        handle = syscall(SYS_pidfd_open, child, 0);
        event.data.fd = handle;
        if (handle < 0 || epoll_ctl(inner, EPOLL_CTL_ADD, handle, &event)) fail("pidfd");
    }
    answer();
    pthread_create(&thread, NULL, make_events, NULL);
    for (long turn = 0;; turn++) {
        if (epoll_wait(outer, ready, 1, 1000) == 0) wrong("nothing happens any more");
        int n = epoll_wait(inner, ready, 8, 0);
        for (int i = 0; i < n; i++) {
            uint64_t value;
            char byte;
            int fd = ready[i].data.fd;
            if (fd == counter && read(fd, &value, 8) == 8) summed += value;
            else if (fd == semaphore && read(fd, &value, 8) == 8) taken += value;
            else if (fd == wake[0] && read(fd, &byte, 1) == 1) bytes++;
            else if (fd == signaled && read(fd, &got, sizeof got) == sizeof got) caught++;
            else if (fd == handle) wrong("its child has ended");
        }
        if (labs(summed - bytes) > 2000 || taken > summed + 2000) wrong("events were lost");
        sigset_t pending;
        sigpending(&pending);
        if (!sigismember(&pending, SIGUSR2)) wrong("a pending signal was lost");
        if (turn % 200 == 0) {
            char text[7] = {0};
            if (read(full[0], text, 6) != 6 || strcmp(text, "unread") || write(full[1], text, 6) != 6) wrong("a pipe lost its data");
        }
        answers_count = summed + caught;
    }
}
