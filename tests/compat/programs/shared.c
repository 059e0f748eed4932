/* Memory and semaphores shared by processes: System V and POSIX, anonymous, memfd; a queue with unread messages. */
#include "answers.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { CHILDREN = 4, SIZE = 1 << 20 };
struct area { _Atomic long count; sem_t lock; long guarded, twice; char fill[SIZE]; };
struct note { long type; char text[16]; };

static void sysv(int set, int change) {
    struct sembuf operation = {0, change, SEM_UNDO};
    while (semop(set, &operation, 1) && errno == EINTR) {}
}

static void work(struct area **areas, int count, int set, sem_t *named, long *summed) {
    for (;;) {
        for (int i = 0; i < count; i++) {
            sem_wait(&areas[i]->lock);
            areas[i]->guarded++;
            usleep(50);
            areas[i]->twice += 2;
            sem_post(&areas[i]->lock);
            areas[i]->count++;
        }
        sysv(set, -1);
        summed[0]++;
        sem_wait(named);
        summed[1] += 2;
        sem_post(named);
        sysv(set, 1);
        usleep(2000);
    }
}

int main(void) {
    int key = shmget(0x77, sizeof(struct area), IPC_CREAT | 0600), set = semget(0x78, 1, IPC_CREAT | 0600);
    int queue = msgget(0x79, IPC_CREAT | 0600), file = shm_open("/area", O_RDWR | O_CREAT, 0600);
    int memory = memfd_create("area", 0);
    sem_t *named = sem_open("/named", O_CREAT, 0600, 1);
    if (key < 0 || set < 0 || queue < 0 || file < 0 || memory < 0 || named == SEM_FAILED) fail("shared objects");
    if (ftruncate(file, sizeof(struct area)) || ftruncate(memory, sizeof(struct area)) || semctl(set, 0, SETVAL, 1)) fail("sizes");
    struct area *areas[] = {
        shmat(key, NULL, 0),
        mmap(NULL, sizeof(struct area), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
        mmap(NULL, sizeof(struct area), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0),
        mmap(NULL, sizeof(struct area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
    };
    long *summed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++) {
        if (areas[i] == MAP_FAILED) fail("mmap");
        sem_init(&areas[i]->lock, 1, 1);
        memset(areas[i]->fill, 'a' + i, SIZE);
    }
    struct note note = {1, "unread"};
    for (int i = 0; i < 3; i++) msgsnd(queue, &note, sizeof note.text, 0);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) work(areas, 4, set, named, summed);
    answer();
    for (;;) {
        long total = 0;
        for (int i = 0; i < 4; i++) {
            sem_wait(&areas[i]->lock);
            if (areas[i]->twice != 2 * areas[i]->guarded) wrong("a semaphore did not hold");
            if (areas[i]->fill[SIZE / 2] != 'a' + i || areas[i]->fill[SIZE - 1] != 'a' + i) wrong("shared memory changed");
            sem_post(&areas[i]->lock);
            total += areas[i]->count;
        }
        struct msqid_ds about;
        if (msgctl(queue, IPC_STAT, &about) || about.msg_qnum != 3) wrong("messages were lost");
        if (msgrcv(queue, &note, sizeof note.text, 0, IPC_NOWAIT) < 0 || strcmp(note.text, "unread")) wrong("a message changed");
        msgsnd(queue, &note, sizeof note.text, 0);
        if (waitpid(-1, NULL, WNOHANG) > 0) wrong("a child has ended");
        answers_count = total + summed[0];
        usleep(20000);
    }
}
