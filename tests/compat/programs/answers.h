/* Like answers.py for C programs: a thread that answers each line on port 9000 with `TOKEN COUNT STATE`. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic long answers_count;
static const char *_Atomic answers_state = "ok";
static char answers_token[17];

static void wrong(const char *what) { answers_state = what; }

static void fail(const char *what) { perror(what); exit(1); }

static double monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void *answers_one(void *argument) {
    int connection = (int)(intptr_t)argument;
    char line[256];
    FILE *in = fdopen(connection, "r");
    while (in && fgets(line, sizeof line, in)) {
        int n = snprintf(line, sizeof line, "%s %ld %s\n", answers_token, answers_count, answers_state);
        if (send(connection, line, n, MSG_NOSIGNAL) != n) break;
    }
    fclose(in);
    return NULL;
}

static void *answers_all(void *argument) {
    int server = (int)(intptr_t)argument;
    for (;;) {
        int connection = accept(server, NULL, NULL);
        pthread_t thread;
        if (connection >= 0 && pthread_create(&thread, NULL, answers_one, (void *)(intptr_t)connection) == 0)
            pthread_detach(thread);
    }
}

static void answer(void) {
    uint64_t token;
    int one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9000)};
    pthread_t thread;
    if (getrandom(&token, sizeof token, 0) != sizeof token) fail("getrandom");
    snprintf(answers_token, sizeof answers_token, "%016llx", (unsigned long long)token);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 8)) fail("listen");
    pthread_create(&thread, NULL, answers_all, (void *)(intptr_t)server);
}
