/* POSIX message queues: a descriptor with unread messages. */
#include "answers.h"
#include <fcntl.h>
#include <mqueue.h>

int main(void) {
    struct mq_attr attributes = {.mq_maxmsg = 8, .mq_msgsize = 64};
    mqd_t queue = mq_open("/compat", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
    if (queue < 0) fail("mq_open");
    for (int i = 0; i < 3; i++) mq_send(queue, "unread", 7, 0);
    answer();
    for (;;) {
        char text[64];
        if (mq_receive(queue, text, sizeof text, NULL) != 7 || strcmp(text, "unread")) wrong("a message was lost");
        mq_send(queue, "unread", 7, 0);
        answers_count++;
        usleep(10000);
    }
}
