/* Keeps an io_uring open and uses it; says so when the kernel or a filter does not let it. */
#include "answers.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>

int main(void) {
    struct io_uring_params parameters = {0};
    int ring = syscall(SYS_io_uring_setup, 8, &parameters);
    if (ring < 0) fprintf(stderr, "io_uring_setup: %s\n", strerror(errno));
    answer();
    for (;;) {
        if (ring < 0) wrong("no io_uring here");
        answers_count++;
        usleep(10000);
    }
}
