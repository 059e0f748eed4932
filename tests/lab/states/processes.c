/* What processes and threads are to each other and to the kernel. */
#include "states.h"
#include <linux/membarrier.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

static int semaphores;
static pid_t holder;
static void takes(void) {
    struct sembuf down = {0, -1, SEM_UNDO};
    TRY(semop(semaphores, &down, 1));
}
static void undo_make(void) {
    semaphores = TRY(semget(0x5e3, 1, IPC_CREAT | 0600));
    TRY(semctl(semaphores, 0, SETVAL, 1));
    holder = child(takes);
    while (semctl(semaphores, 0, GETVAL)) usleep(1000);
}
static const char *undo_differs(void) {
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    SAME(semctl(semaphores, 0, GETVAL), 1);
    return NULL;
}

static void *lives(void *unused) { (void)unused; for (;;) pause(); return NULL; }
static void leaves(void) {
    pthread_t made;
    pthread_create(&made, NULL, lives, NULL);
    usleep(50000);
    syscall(SYS_exit, 0); /* the first thread alone: a zombie with a thread that lives */
}
static void leader_gone_make(void) { holder = child(leaves); usleep(200000); }
static const char *leader_gone_differs(void) {
    SAME(kill(holder, 0), 0);
    SAME(waitpid(holder, NULL, WNOHANG), 0);
    return NULL;
}

static int in_thread(void *unused) { (void)unused; for (;;) pause(); return 0; }
static void shared_memory_make(void) {
    char *stack = TRY(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0));
    holder = TRY(clone(in_thread, stack + 65536, CLONE_VM | SIGCHLD, NULL)); /* a process, and yet the same memory */
}
static const char *alive(void) { SAME(kill(holder, 0), 0); SAME(waitpid(holder, NULL, WNOHANG), 0); return NULL; }

static void shared_rest_make(void) {
    pid_t pid = TRY(syscall(SYS_clone, CLONE_FS | CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
    if (pid == 0) for (;;) pause();
    holder = pid;
}
static const char *shared_rest_differs(void) {
    char is[99];
    TRY(chdir("/tmp"));
    int fd = dup(0);
    snprintf(is, sizeof is, "/proc/%d/fd/%d", holder, fd);
    if (access(is, F_OK)) return said("the child has no descriptor %d", fd);
    snprintf(is, sizeof is, "/proc/%d/cwd", holder);
    char at[99] = "";
    TRY(readlink(is, at, sizeof at - 1));
    return strcmp(at, "/tmp") ? said("the child is in %s", at) : NULL;
}

static void vforked_make(void) {
    if ((holder = TRY(fork())) == 0) {
        if (vfork() == 0) { for (;;) syscall(SYS_pause); }
        _exit(0);
    }
    usleep(100000);
}

static pthread_barrier_t ready;
static int (*of_thread)(void);
static volatile int said_by_thread, go;
static void *thread(void *make) {
    ((void (*)(void))make)();
    pthread_barrier_wait(&ready);
    while (!go) usleep(20000);
    said_by_thread = of_thread();
    go = 0;
    for (;;) pause();
    return NULL;
}
static void with_thread(void (*make)(void), int (*look)(void)) {
    pthread_t made;
    of_thread = look;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&made, NULL, thread, make);
    pthread_barrier_wait(&ready);
}
static int by_thread(void) { go = 1; while (go) usleep(1000); return said_by_thread; }

static void own_folder(void) { TRY(unshare(CLONE_FS)); TRY(chdir("/tmp")); umask(027); }
static int where(void) { char at[99]; return !strcmp(getcwd(at, sizeof at), "/tmp") ? umask(0) : -1; }
static void thread_folder_make(void) { with_thread(own_folder, where); }
static const char *thread_folder_differs(void) { SAME(by_thread(), 027); return NULL; }

static int own_number;
static void own_files(void) { TRY(unshare(CLONE_FILES)); own_number = TRY(fcntl(TRY(open("/tmp/own", O_CREAT | O_RDWR, 0600)), F_DUPFD, 77)); }
static int still_open(void) { return fcntl(own_number, F_GETFD); }
static void thread_files_make(void) { with_thread(own_files, still_open); }
static const char *thread_files_differs(void) {
    SAME(by_thread(), 0);
    SAME(fcntl(own_number, F_GETFD), -1);
    return NULL;
}

static void own_user(void) { TRY(syscall(SYS_setresuid, 1000, 1000, 1000)); }
static int user(void) { return (int)syscall(SYS_geteuid); }
static void thread_user_make(void) { with_thread(own_user, user); }
static const char *thread_user_differs(void) { SAME(by_thread(), 1000); SAME(syscall(SYS_geteuid), 0); return NULL; }

static void own_network(void) { TRY(unshare(CLONE_NEWNET)); }
static int cards(void) { return access("/proc/thread-self/net/fib_trie", F_OK); }
static void thread_network_make(void) { with_thread(own_network, cards); }
static const char *no_difference(void) { return NULL; }

static void barrier_make(void) { TRY(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0)); }
static const char *barrier_differs(void) { SAME(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0); return NULL; }

static void landlock_make(void) {
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG};
    int set = TRY(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    TRY(syscall(SYS_landlock_restrict_self, set, 0));
    close(set);
}
static const char *landlock_differs(void) { SAME(open("/tmp/forbidden", O_CREAT | O_WRONLY, 0600), -1); return NULL; }

static long key;
static void key_make(void) { key = TRY(syscall(SYS_add_key, "user", "note", "secret", 6, -3 /* of the session */)); }
static const char *key_differs(void) {
    char is[9] = "";
    SAME(syscall(SYS_keyctl, 11 /* read */, key, is, 8), 6);
    return NULL;
}

static void mdwe_make(void) { TRY(prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0)); }
static const char *mdwe_differs(void) { SAME(prctl(66, 0, 0, 0, 0), 1); return NULL; }

static void speculation_make(void) { TRY(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0)); }
static const char *speculation_differs(void) { SAME(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0), PR_SPEC_PRCTL | PR_SPEC_DISABLE); return NULL; }

static void securebits_make(void) { TRY(prctl(PR_SET_SECUREBITS, 1 << 0 | 1 << 1, 0, 0, 0)); }
static const char *securebits_differs(void) { SAME(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), 3); return NULL; }

static void realtime_make(void) { struct sched_param how = {.sched_priority = 7}; TRY(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &how)); }
static const char *realtime_differs(void) { SAME(sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK); return NULL; }

struct attr { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long runtime, deadline, period; unsigned low, high; };
static void deadline_make(void) {
    struct attr how = {.size = 48, .policy = 6, .runtime = 1000000, .deadline = 100000000, .period = 100000000};
    TRY(syscall(SYS_sched_setattr, 0, &how, 0));
}
static const char *deadline_differs(void) {
    struct attr is = {0};
    TRY(syscall(SYS_sched_getattr, 0, &is, sizeof is, 0));
    SAME(is.policy, 6);
    SAME(is.runtime, 1000000);
    return NULL;
}
static void slice_make(void) {
    struct attr how = {.size = 48, .policy = 0, .runtime = 20000000};
    TRY(syscall(SYS_sched_setattr, 0, &how, 0));
}
static const char *slice_differs(void) {
    struct attr is = {0};
    TRY(syscall(SYS_sched_getattr, 0, &is, sizeof is, 0));
    SAME(is.runtime, 20000000);
    return NULL;
}

static pthread_mutex_t *mutex;
static void locks_mutex(void) { pthread_mutex_lock(mutex); }
static void robust_make(void) {
    pthread_mutexattr_t kind;
    mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, 1);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &kind);
    holder = child(locks_mutex);
    usleep(100000);
}
static const char *robust_differs(void) {
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    SAME(pthread_mutex_trylock(mutex), EOWNERDEAD);
    return NULL;
}

static pthread_t joined;
static void *ends(void *unused) { while (!go) usleep(20000); return unused; }
static void join_make(void) { pthread_create(&joined, NULL, ends, &joined); }
static const char *join_differs(void) { void *got; go = 1; pthread_join(joined, &got); return got == &joined ? NULL : "another value"; }

static void sessionless(void) { TRY(setsid()); if (fork() == 0) { if (fork() == 0) for (;;) pause(); _exit(0); } _exit(0); }
static void session_make(void) { pid_t pid = child(sessionless); waitpid(pid, NULL, 0); usleep(100000); }

static void parent_signal(void) { TRY(prctl(PR_SET_PDEATHSIG, SIGKILL)); }
static void parent_signal_make(void) { holder = child(parent_signal); }

static timer_t timer;
static void timer_of(clockid_t clock, int notify) {
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGRTMIN + 2};
    struct itimerspec far = {.it_value = {90000, 0}, .it_interval = {5, 0}};
    event._sigev_un._tid = (int)syscall(SYS_gettid);
    TRY(timer_create(clock, &event, &timer));
    TRY(timer_settime(timer, 0, &far, NULL));
}
static void cpu_timer_make(void) { timer_of(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL); }
static void thread_cpu_timer_make(void) { timer_of(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL); }
static void boot_timer_make(void) { timer_of(CLOCK_BOOTTIME, SIGEV_SIGNAL); }
static void atomic_timer_make(void) { timer_of(CLOCK_TAI, SIGEV_SIGNAL); }
static void thread_timer_make(void) { timer_of(CLOCK_MONOTONIC, SIGEV_THREAD_ID); }
static const char *timer_differs(void) {
    struct itimerspec is;
    TRY(timer_gettime(timer, &is));
    if (is.it_value.tv_sec < 89000 || is.it_value.tv_sec > 90000) return said("%ld s are left", is.it_value.tv_sec);
    SAME(is.it_interval.tv_sec, 5);
    return NULL;
}
static void idle(void) { struct sched_param none = {0}; TRY(sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &none)); }
static const char *idle_differs(void) { SAME(sched_getscheduler(0), SCHED_IDLE | SCHED_RESET_ON_FORK); return NULL; }

static void own_mounts(void) {
    TRY(unshare(CLONE_NEWNS));
    TRY(mount("none", "/tmp", "tmpfs", MS_NODEV, "size=1m,mode=700"));
    written("/tmp/inside", "x");
}
static void mounts_make(void) { holder = child(own_mounts); usleep(100000); }
static const char *mounts_differs(void) {
    char path[99];
    struct stat is;
    snprintf(path, sizeof path, "/proc/%d/root/tmp/inside", holder);
    SAME(stat(path, &is), 0);
    SAME(access("/tmp/inside", F_OK), -1);
    return NULL;
}

static void own_cgroup(void) { TRY(unshare(CLONE_NEWCGROUP)); }
static void cgroup_make(void) { holder = child(own_cgroup); usleep(100000); }
static void own_name(void) { TRY(unshare(CLONE_NEWUTS)); TRY(sethostname("inner", 5)); }
static int is_inner(void) { char name[99]; gethostname(name, sizeof name); return !strcmp(name, "inner"); }
static void thread_name_make(void) { with_thread(own_name, is_inner); }
static const char *thread_name_differs(void) { SAME(by_thread(), 1); return NULL; }

static void core_make(void) { TRY(prctl(62 /* PR_SCHED_CORE */, 1, 0, 0, 0)); }
static void flusher_make(void) { TRY(prctl(57 /* PR_SET_IO_FLUSHER */, 1, 0, 0, 0)); }
static const char *flusher_differs(void) { SAME(prctl(58, 0, 0, 0, 0), 1); return NULL; }
static void policy_make(void) { unsigned long near = 1; TRY(syscall(SYS_set_mempolicy, 1 /* preferred */, &near, 8)); }
static const char *policy_differs(void) { int is = -1; TRY(syscall(SYS_get_mempolicy, &is, NULL, 0, NULL, 0)); SAME(is, 1); return NULL; }
static void stack_make(void) { char *stack = malloc(65536); stack_t other = {.ss_sp = stack, .ss_size = 65536, .ss_flags = 1 << 31 /* SS_AUTODISARM */}; TRY(sigaltstack(&other, NULL)); }
static const char *stack_differs(void) { stack_t is; TRY(sigaltstack(NULL, &is)); SAME(is.ss_size, 65536); SAME((unsigned)is.ss_flags, 1u << 31); return NULL; }

static void domain_make(void) { TRY(personality(0x0020000 /* UNAME26 */)); }
static const char *domain_differs(void) { SAME(personality(-1), 0x0020000); return NULL; }

static int segment;
static void marked_make(void) {
    segment = (int)TRY(shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600));
    strcpy((char *)TRY(shmat(segment, NULL, 0)), "goes with its last user");
    TRY(shmctl(segment, IPC_RMID, NULL));
}
static const char *marked_differs(void) {
    struct shmid_ds is;
    TRY(shmctl(segment, IPC_STAT, &is));
    SAME(is.shm_perm.mode, 01600);
    return NULL;
}

const struct state processes[] = {
    {"domain", domain_make, domain_differs},
    {"marked-segment", marked_make, marked_differs},
    {"sem-undo", undo_make, undo_differs},
    {"leader-gone", leader_gone_make, leader_gone_differs},
    {"shared-memory", shared_memory_make, alive},
    {"shared-files", shared_rest_make, shared_rest_differs},
    {"vforked", vforked_make, alive},
    {"thread-folder", thread_folder_make, thread_folder_differs},
    {"thread-files", thread_files_make, thread_files_differs},
    {"thread-user", thread_user_make, thread_user_differs},
    {"thread-network", thread_network_make, no_difference},
    {"thread-name", thread_name_make, thread_name_differs},
    {"membarrier", barrier_make, barrier_differs},
    {"landlock", landlock_make, landlock_differs},
    {"keyring", key_make, key_differs},
    {"write-or-execute", mdwe_make, mdwe_differs},
    {"speculation", speculation_make, speculation_differs},
    {"securebits", securebits_make, securebits_differs},
    {"realtime", realtime_make, realtime_differs},
    {"deadline", deadline_make, deadline_differs},
    {"slice", slice_make, slice_differs},
    {"robust-mutex", robust_make, robust_differs},
    {"thread-join", join_make, join_differs},
    {"session-gone", session_make, no_difference},
    {"parent-signal", parent_signal_make, alive},
    {"timer-cpu", cpu_timer_make, timer_differs},
    {"timer-thread-cpu", thread_cpu_timer_make, timer_differs},
    {"timer-boot", boot_timer_make, timer_differs},
    {"timer-tai", atomic_timer_make, timer_differs},
    {"timer-thread", thread_timer_make, timer_differs},
    {"reset-on-fork", idle, idle_differs},
    {"own-mounts", mounts_make, mounts_differs},
    {"own-cgroup", cgroup_make, alive},
    {"core-cookie", core_make, no_difference},
    {"io-flusher", flusher_make, flusher_differs},
    {"memory-policy", policy_make, policy_differs},
    {"signal-stack", stack_make, stack_differs},
    {0},
};
