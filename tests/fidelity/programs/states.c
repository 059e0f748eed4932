/* states: the first process of the fidelity probe. Makes files, then a process for each kind of state; says `ready`
   once all have theirs, and from then on changes nothing by itself. */
#include "states.h"
#include <sys/prctl.h>
#include <sys/wait.h>

void failed(const char *call, const char *file, int line) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, strerror(errno));
    fflush(stderr);
    kill(1, SIGTERM);
    _exit(1);
}

static void part(const char *name, void (*make)(void)) {
    int done[2];
    char byte;
    TRY(pipe(done));
    pid_t child = TRY(fork());
    if (child == 0) {
        close(done[0]);
        TRY(prctl(PR_SET_NAME, name));
        make();
        TRY(write(done[1], "x", 1));
        close(done[1]);
        for (;;) pause();
    }
    close(done[1]);
    if (read(done[0], &byte, 1) != 1) exit(1);
    close(done[0]);
}

static void ended(int number) { (void)number; _exit(1); }

static void appended(const char *path, const char *line) {
    int fd = TRY(open(path, O_WRONLY | O_APPEND));
    TRY(write(fd, line, strlen(line)));
    close(fd);
}

int main(int argc, char **argv) {
    signal(SIGTERM, ended);
    for (int i = 1; i < argc; i++) tree(argv[i]);
    appended("/etc/hosts", "10.1.2.3 db.internal\n");
    appended("/etc/resolv.conf", "options timeout:3\n");
    part("task", task);
    part("memory", memory);
    part("descriptors", descriptors);
    part("sockets", sockets);
    part("queues", queues);
    puts("ready");
    fprintf(stderr, "said on the other stream\n");
    fflush(stdout);
    for (;;) pause();
}
