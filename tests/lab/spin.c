/* spin: holds 64 MiB, the same bytes for ever, and sleeps with a stack pointer that begins a page. CRIU marks no page as
 * lazy then. */
#include <stdlib.h>
#include <sys/mman.h>

#define SIZE (64 << 20)

int main(void) {
    unsigned char *memory = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long at = 0; at < SIZE; at++) memory[at] = at * 31 >> 5 | 1;
    for (;;) {
        long pause[2] = {0, 50000000};
        __asm__ volatile("mov %%rsp, %%rbx; sub $8192, %%rsp; and $-4096, %%rsp; mov $35, %%eax; syscall; mov %%rbx, %%rsp"
                         : : "D"(pause), "S"(0) : "rax", "rbx", "rcx", "r11", "memory");
        for (long at = 0; at < SIZE; at += 512)
            if (memory[at] != (unsigned char)(at * 31 >> 5 | 1)) abort();
    }
}
