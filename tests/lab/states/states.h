/* states NAME: a program that has one kind of state. It prints `ready`, waits for SIGUSR1, looks whether it still
 * has that state, and prints `fine` or what is different. `unable: ...` where the kernel or the container forbids it. */
#ifndef STATES_H
#define STATES_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct state {
    const char *name;
    void (*make)(void);
    const char *(*differs)(void); /* NULL: nothing */
};
extern const struct state processes[], memory[], files[], sockets[];

long tried(long result, const char *what, int line);
#define TRY(call) tried((long)(call), #call, __LINE__)
const char *said(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define SAME(is, was) \
    do { long is_ = (long)(is), was_ = (long)(was); if (is_ != was_) return said(#is " is %ld and was %ld (errno %d)", is_, was_, errno); } while (0)
void written(const char *path, const char *text);
pid_t child(void (*body)(void)); /* one that runs this and then waits for ever */
#endif
