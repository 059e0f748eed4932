#include "states.h"
#include <stdarg.h>

static volatile sig_atomic_t asked;
static void on_signal(int number) { (void)number; asked = 1; }

static void forever(void) { for (;;) pause(); }

long tried(long result, const char *what, int line) {
    if (result < 0) {
        printf("unable: %s at line %d: %s\n", what, line, strerror(errno));
        fflush(stdout);
        forever();
    }
    return result;
}

const char *said(const char *format, ...) {
    static char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return text;
}

void written(const char *path, const char *text) {
    int fd = TRY(open(path, O_WRONLY | O_CREAT, 0640));
    TRY(write(fd, text, strlen(text)));
    close(fd);
}

pid_t child(void (*body)(void)) {
    pid_t pid = TRY(fork());
    if (pid == 0) {
        signal(SIGUSR1, SIG_DFL);
        body();
        forever();
    }
    return pid;
}

int main(int argc, char **argv) {
    const struct state *all[] = {processes, memory, files, sockets};
    sigset_t usual, held;
    if (argc < 2) return 2;
    signal(SIGUSR1, on_signal);
    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct state *one = all[i]; one->name; one++) {
            if (strcmp(one->name, argv[1])) {
                if (argc == 2 && !strcmp(argv[1], "list")) puts(one->name);
                continue;
            }
            one->make();
            sigprocmask(SIG_BLOCK, &held, &usual);
            puts("ready");
            fflush(stdout);
            sigdelset(&usual, SIGUSR1);
            while (!asked && argc == 2) sigsuspend(&usual);
            const char *differs = one->differs();
            puts(differs ? differs : "fine");
            fflush(stdout);
            if (argc > 2) exit(0);
            forever();
        }
    return 0;
}
