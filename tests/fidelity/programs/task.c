/* What a process and its threads are: rights, limits, signals, timers, scheduling, family. */
#include "states.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static void caught(int number) { (void)number; }

static void *thread(void *ready) { /* never returns */
    sigset_t set;
    cpu_set_t cpus;
    struct sched_param none = {0};
    TRY(prctl(PR_SET_NAME, "a-thread"));
    sigfillset(&set);
    sigdelset(&set, SIGHUP);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    TRY(sched_setaffinity(0, sizeof cpus, &cpus));
    TRY(sched_setscheduler(0, SCHED_IDLE, &none));
    TRY(prctl(PR_SET_TIMERSLACK, 123456));
    pthread_barrier_wait(ready);
    for (;;) pause();
    return NULL;
}

static void signals(void) {
    sigset_t set;
    struct sigaction act = {.sa_handler = caught, .sa_flags = SA_RESTART | SA_ONSTACK | SA_NODEFER};
    stack_t other = {.ss_sp = malloc(SIGSTKSZ * 4), .ss_size = SIGSTKSZ * 4};
    TRY(sigaltstack(&other, NULL));
    sigemptyset(&act.sa_mask);
    sigaddset(&act.sa_mask, SIGWINCH);
    TRY(sigaction(SIGUSR1, &act, NULL));
    TRY(sigaction(SIGRTMIN + 3, &act, NULL));
    TRY(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 1);
    TRY(sigprocmask(SIG_BLOCK, &set, NULL));
    union sigval value = {.sival_int = 77};
    TRY(sigqueue(getpid(), SIGRTMIN + 1, value));
    value.sival_int = 78;
    TRY(sigqueue(getpid(), SIGRTMIN + 1, value));
    TRY(kill(getpid(), SIGUSR2)); /* pending for the process */
}

static void timers(void) {
    struct itimerval far = {.it_interval = {500, 0}, .it_value = {90000, 0}};
    struct itimerspec armed = {.it_interval = {7, 5}, .it_value = {80000, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 9};
    timer_t made;
    TRY(setitimer(ITIMER_REAL, &far, NULL));
    TRY(setitimer(ITIMER_VIRTUAL, &far, NULL));
    TRY(setitimer(ITIMER_PROF, &far, NULL));
    TRY(timer_create(CLOCK_MONOTONIC, &event, &made));
    TRY(timer_settime(made, 0, &armed, NULL));
    event.sigev_notify = SIGEV_NONE;
    TRY(timer_create(CLOCK_REALTIME, &event, &made));
}

static void limits(void) {
    struct rlimit limit = {1000, 2000};
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){1 << 18, 1 << 19};
    TRY(setrlimit(RLIMIT_CORE, &limit));
    TRY(setrlimit(RLIMIT_MSGQUEUE, &limit));
    limit = (struct rlimit){100, 200};
    TRY(setrlimit(RLIMIT_SIGPENDING, &limit));
    limit = (struct rlimit){4 << 20, 6 << 20};
    TRY(setrlimit(RLIMIT_STACK, &limit));
}

static void written(const char *path, const char *text) {
    int fd = TRY(open(path, O_WRONLY));
    TRY(write(fd, text, strlen(text)));
    close(fd);
}

/* Ambient and inheritable rights, and fewer than the container has. */
static void rights(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    TRY(syscall(SYS_capget, &head, data));
    data[0].inheritable |= 1 << CAP_KILL;
    data[0].effective &= ~(1u << CAP_FOWNER);
    TRY(syscall(SYS_capset, &head, data));
    TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    TRY(prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT, 0, 0, 0));
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* Its own filter, over the container's: `getpgid(12345)` fails with EXDEV. */
static void filter(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); /* none may be set without, but by root */
    TRY(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void family(void) {
    if (TRY(fork()) == 0) _exit(3); /* nobody waits for it: a zombie */
    pid_t stopped = TRY(fork());
    if (stopped == 0) {
        TRY(prctl(PR_SET_NAME, "stopped"));
        TRY(prctl(PR_SET_PDEATHSIG, SIGHUP));
        TRY(prctl(PR_SET_DUMPABLE, 0));
        raise(SIGSTOP);
        _exit(1);
    }
    if (TRY(fork()) == 0) {
        TRY(setsid());
        TRY(prctl(PR_SET_NAME, "a name, (odd)"));
        gid_t groups[] = {7, 50, 4000000};
        TRY(syscall(SYS_setgroups, 3, groups));
        TRY(setresgid(100, 101, 102));
        TRY(setresuid(1000, 1001, 1002));
        filter();
        for (;;) pause();
    }
    pid_t own_group = TRY(fork());
    if (own_group == 0) {
        TRY(setpgid(0, 0));
        TRY(chdir("/data"));
        umask(027);
        TRY(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 2));
        for (;;) pause();
    }
}

void task(void) {
    static pthread_barrier_t ready;
    struct sched_param none = {0};
    pthread_t made;
    signals();
    timers();
    limits();
    written("/proc/self/oom_score_adj", "321");
    written("/proc/self/coredump_filter", "0x13");
    umask(0137);
    TRY(chdir("/tmp"));
    TRY(prctl(PR_SET_CHILD_SUBREAPER, 1));
    TRY(prctl(PR_SET_KEEPCAPS, 1));
    TRY(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    TRY(prctl(PR_SET_TIMERSLACK, 70000));
    TRY(prctl(PR_SET_TSC, PR_TSC_ENABLE));
    TRY(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
    TRY(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 6));
    TRY(sched_setscheduler(0, SCHED_BATCH, &none));
    TRY(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 5));
    family();
    pthread_barrier_init(&ready, NULL, 2);
    if (pthread_create(&made, NULL, thread, &ready)) failed("pthread_create", __FILE__, __LINE__);
    pthread_barrier_wait(&ready);
    rights();
}
