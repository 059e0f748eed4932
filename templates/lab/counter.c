/*
 * counter: the lab's demo and test workload. It shows whether a container that moved is still the same one.
 *
 *   counter [--memory MiB] [--dirty MiB/s] [--port P] [--file PATH]
 *
 *   --memory  memory to hold (default 16); every other page is random, the rest compresses well
 *   --dirty   memory to write to per second (default 0)
 *   --port    TCP and UDP port to answer on (default 9000; 0: none)
 *   --file    append the count to this file once a second; the file stays open
 *
 * The count grows by one every 10 ms of time the process could run. It starts at 0, so a count that falls means the
 * process was started again. Time the process was frozen for longer than RESYNC_NS is not counted.
 *
 * Each message (what one read returns) gets one line as its answer:
 *   "sum..."         "sum <16 hex digits>\n"   checksum of all memory but the first word of each page, which --dirty
 *                                              writes. It never changes while the process lives, and as the random
 *                                              seed is new at each start, a restarted process has another one.
 *   "push..."        "<count>\n" now and at every further tick, so that data is always on its way to the client
 *   "pour..."        zeros from now on, as fast as the connection takes them
 *   anything else    "<count>\n"
 * Each datagram gets "<count>\n".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / sizeof(uint64_t))
#define TICK_NS 10000000LL
#define RESYNC_NS 1000000000LL
#define TICKS_PER_SECOND 100
#define MAX_FDS 1024

static uint64_t *memory;
static size_t pages;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fill_memory(size_t mib)
{
    uint64_t x;
    pages = (mib << 20) / PAGE;
    if (pages == 0)
        return;
    memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    if (getrandom(&x, sizeof x, 0) != sizeof x)
        die("getrandom");
    x |= 1; /* xorshift must not start at 0 */
    for (size_t p = 0; p < pages; p++) {
        uint64_t *word = memory + p * WORDS;
        for (size_t i = 0; i < WORDS; i++) {
            if (p % 2) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                word[i] = x;
            } else {
                word[i] = p;
            }
        }
    }
}

/* FNV-1a over words instead of bytes: fast, and any changed, lost or swapped page changes it. */
static uint64_t checksum(void)
{
    uint64_t h = 14695981039346656037ULL;
    for (size_t p = 0; p < pages; p++) {
        const uint64_t *word = memory + p * WORDS;
        for (size_t i = 1; i < WORDS; i++)
            h = (h ^ word[i]) * 1099511628211ULL;
    }
    return h;
}

static void dirty_memory(size_t mib_per_second)
{
    static size_t next, owed; /* owed: bytes that do not make a whole page yet */
    if (pages == 0)
        return;
    owed += (mib_per_second << 20) / TICKS_PER_SECOND;
    for (; owed >= PAGE; owed -= PAGE) {
        memory[next * WORDS]++;
        next = (next + 1) % pages;
    }
}

static int listen_on(int type, int port)
{
    int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(fd, 128)))
        die("bind");
    return fd;
}

enum mode { ASKED, PUSHED, POURED };
static char modes[MAX_FDS]; /* by descriptor */

static void pour(int fd)
{
    static const char zeros[65536];
    for (int blocks = 0; blocks < 16; blocks++) /* then the others have a turn */
        if (send(fd, zeros, sizeof zeros, MSG_NOSIGNAL) < 0)
            return;
}

static void answer_datagrams(int fd, uint64_t count)
{
    char in[64], out[32];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    int n = snprintf(out, sizeof out, "%llu\n", (unsigned long long)count);
    while (recvfrom(fd, in, sizeof in, 0, (struct sockaddr *)&from, &size) >= 0)
        sendto(fd, out, n, 0, (struct sockaddr *)&from, size);
}

static int send_count(int fd, uint64_t count)
{
    char out[32];
    int n = snprintf(out, sizeof out, "%llu\n", (unsigned long long)count);
    return send(fd, out, n, MSG_NOSIGNAL) == n;
}

/* False: the connection is over. */
static int answer(int fd, uint64_t count)
{
    char in[256], out[64];
    ssize_t got = read(fd, in, sizeof in);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return 0;
    if (got >= 4 && memcmp(in, "push", 4) == 0)
        modes[fd] = PUSHED;
    if (got >= 4 && memcmp(in, "pour", 4) == 0)
        modes[fd] = POURED;
    if (modes[fd] == POURED)
        return 1;
    if (got < 3 || memcmp(in, "sum", 3) != 0)
        return send_count(fd, count);
    int n = snprintf(out, sizeof out, "sum %016llx\n", (unsigned long long)checksum());
    return send(fd, out, n, MSG_NOSIGNAL) == n;
}

static void stop(int signal)
{
    (void)signal;
    _exit(0);
}

int main(int argc, char **argv)
{
    size_t mib = 16, dirty = 0;
    int port = 9000, file = -1, one = 1;
    struct pollfd fds[MAX_FDS];
    int nfds = 0;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 >= argc) {
            fprintf(stderr, "counter: %s needs a value\n", argv[i]);
            return 2;
        }
        if (!strcmp(argv[i], "--memory")) {
            mib = strtoul(argv[i + 1], NULL, 10);
        } else if (!strcmp(argv[i], "--dirty")) {
            dirty = strtoul(argv[i + 1], NULL, 10);
        } else if (!strcmp(argv[i], "--port")) {
            port = atoi(argv[i + 1]);
        } else if (!strcmp(argv[i], "--file")) {
            file = open(argv[i + 1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
            if (file < 0)
                die(argv[i + 1]);
        } else {
            fprintf(stderr, "usage: counter [--memory MiB] [--dirty MiB/s] [--port P] [--file PATH]\n");
            return 2;
        }
    }
    /* PID 1 of a container has no default handlers. */
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);

    fill_memory(mib);
    if (port) {
        fds[nfds++] = (struct pollfd){.fd = listen_on(SOCK_STREAM, port), .events = POLLIN};
        fds[nfds++] = (struct pollfd){.fd = listen_on(SOCK_DGRAM, port), .events = POLLIN};
    }
    printf("ready, %zu MiB\n", mib);
    fflush(stdout);

    uint64_t count = 0;
    int64_t due = now_ns() + TICK_NS;
    for (;;) {
        int64_t left = due - now_ns();
        struct timespec wait = {.tv_sec = 0, .tv_nsec = left > 0 ? left : 0};
        int ready = ppoll(fds, nfds, &wait, NULL);

        /* From the end, so that closing one does not skip another; 0 listens, 1 takes datagrams. */
        for (int i = nfds - 1; ready > 0 && i > 1; i--) {
            if ((fds[i].revents & ~POLLOUT) && !answer(fds[i].fd, count)) {
                close(fds[i].fd);
                fds[i] = fds[--nfds];
                continue;
            }
            if (modes[fds[i].fd] == POURED) {
                fds[i].events = POLLIN | POLLOUT;
                pour(fds[i].fd);
            }
        }
        if (ready > 0 && port && fds[1].revents)
            answer_datagrams(fds[1].fd, count);
        if (ready > 0 && port && fds[0].revents && nfds < MAX_FDS) {
            int fd = accept4(fds[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= MAX_FDS) {
                close(fd);
            } else if (fd >= 0) {
                modes[fd] = ASKED;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                fds[nfds++] = (struct pollfd){.fd = fd, .events = POLLIN};
            }
        }

        int64_t now = now_ns();
        if (now - due > RESYNC_NS)
            due = now; /* it was frozen: go on from here instead of catching up */
        for (; now >= due; due += TICK_NS) {
            count++;
            dirty_memory(dirty);
            for (int i = 2; port && i < nfds; i++)
                if (modes[fds[i].fd] == PUSHED)
                    send_count(fds[i].fd, count); /* one that is gone is found by its next event */
            if (count % TICKS_PER_SECOND == 0) {
                printf("%llu\n", (unsigned long long)count);
                fflush(stdout);
                if (file >= 0)
                    dprintf(file, "%llu\n", (unsigned long long)count);
            }
        }
    }
}
