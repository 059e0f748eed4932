/* Futexes of every kind under load: mutex, condition, read-write lock, barrier, robust and priority-inheriting mutex. */
#include "answers.h"

#define THREADS 16
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, robust, inheriting;
static pthread_cond_t turn_over = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t all;
static long turn, pair_a, pair_b, rounds[THREADS];
static __thread long own;

static void *work(void *argument) {
    long me = (long)argument;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me) pthread_cond_wait(&turn_over, &lock);
        turn++;
        answers_count++;
        pthread_cond_broadcast(&turn_over);
        pthread_mutex_unlock(&lock);
        pthread_rwlock_rdlock(&readers);
        if (pair_a != pair_b) wrong("a lock did not hold");
        pthread_rwlock_unlock(&readers);
        if (me == 0) {
            pthread_rwlock_wrlock(&readers);
            pair_a++;
            usleep(100);
            pair_b++;
            pthread_rwlock_unlock(&readers);
        }
        pthread_mutex_lock(&inheriting);
        pthread_mutex_unlock(&inheriting);
        if (pthread_mutex_lock(&robust)) wrong("a robust mutex lost its owner");
        pthread_mutex_unlock(&robust);
        if (++own != ++rounds[me]) wrong("thread-local memory changed");
        usleep(500);
        pthread_barrier_wait(&all);
    }
}

int main(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &kind);
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &kind);
    pthread_barrier_init(&all, NULL, THREADS);
    answer();
    for (long i = 0; i < THREADS; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, (void *)i);
    }
    for (;;) pause();
}
