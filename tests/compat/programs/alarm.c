/* A single alarm that is still far away, as programs use for time limits. */
#include "answers.h"
#include <sys/time.h>

int main(void) {
    answer();
    alarm(86400);
    for (;;) {
        struct itimerval left;
        getitimer(ITIMER_REAL, &left);
        if (left.it_value.tv_sec < 80000) wrong("its alarm is gone");
        answers_count++;
        usleep(10000);
    }
}
