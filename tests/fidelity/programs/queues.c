/* System V: semaphores with values, messages that wait, segments that nobody has attached. */
#include "states.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

void queues(void) {
    struct { long type; char text[32]; } message = {5, "waits in the queue"};
    unsigned short values[] = {4, 0, 17};
    int queue = TRY(msgget(0x4d5e, IPC_CREAT | 0620));
    TRY(msgsnd(queue, &message, sizeof message.text, 0));
    message.type = 6;
    TRY(msgsnd(queue, &message, 3, 0));
    int set = TRY(semget(0x5e4a, 3, IPC_CREAT | 0640));
    TRY(semctl(set, 0, SETALL, values));
    int segment = TRY(shmget(0x51e9, 8192, IPC_CREAT | 0604));
    char *at = shmat(segment, NULL, 0);
    if (at == (void *)-1) failed("shmat", __FILE__, __LINE__);
    strcpy(at, "nobody has attached it");
    TRY(shmdt(at));
}
