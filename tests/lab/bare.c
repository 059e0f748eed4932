/* Two processes without supplementary groups. */
#include <grp.h>
#include <unistd.h>

int main(void) {
    if (setgroups(0, NULL)) return 1;
    fork();
    for (;;) pause();
}
