/* Timers of every kind: timerfd, setitimer, POSIX timers, sleeps; all must go on. `quick`: a timerfd of 10 ms. */
#include "answers.h"
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static _Atomic long alarms, posix_signals, sleeps;
static double started;

static void on_alarm(int number) { (void)number; alarms++; }
static void on_posix(int number) { (void)number; posix_signals++; }

static void *sleeper(void *unused) {
    (void)unused;
    for (;;) {
        double before = monotonic();
        struct timespec left = {0, 300000000};
        while (nanosleep(&left, &left) && errno == EINTR) {}
        if (monotonic() - before < 0.29) wrong("a sleep ended early");
        sleeps++;
    }
}

int main(int count, char **arguments) {
    int quick = count > 1 && !strcmp(arguments[1], "quick");
    struct itimerval every = {{0, 20000}, {0, 20000}};
    struct itimerspec tick = {{quick ? 0 : 30, 10000000}, {quick ? 0 : 30, 10000000}}, far = {{0, 0}, {86400, 0}}, posix = {{0, 50000000}, {0, 50000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t id;
    pthread_t thread;
    long ticks = 0;
    signal(SIGALRM, on_alarm);
    signal(SIGUSR1, on_posix);
    int fast = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), once = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    timerfd_settime(fast, 0, &tick, NULL);
    timerfd_settime(once, 0, &far, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    if (timer_create(CLOCK_MONOTONIC, &event, &id)) fail("timer_create");
    timer_settime(id, 0, &posix, NULL);
    pthread_create(&thread, NULL, sleeper, NULL);
    started = monotonic();
    answer();
    double seen = started;
    long alarms_then = 0, posix_then = 0, sleeps_then = 0;
    for (;;) {
        struct pollfd wait[2] = {{fast, POLLIN, 0}, {once, POLLIN, 0}};
        uint64_t expired;
        poll(wait, 2, 100);
        if (read(fast, &expired, sizeof expired) == sizeof expired) ticks += expired;
        struct itimerspec left;
        timerfd_gettime(once, &left);
        if (left.it_value.tv_sec < 80000 || wait[1].revents) wrong("a far timer is off");
        if (monotonic() < seen) wrong("the clock went back");
        if (monotonic() - seen > 2) { /* every two seconds all of them must have fired */
            if (alarms == alarms_then || posix_signals == posix_then || sleeps == sleeps_then) wrong("a timer stopped");
            alarms_then = alarms, posix_then = posix_signals, sleeps_then = sleeps;
            seen = monotonic();
        }
        answers_count = quick ? ticks : ticks + alarms;
    }
}
