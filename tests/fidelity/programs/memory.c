/* Memory of every kind, with contents that say where they belong. */
#include "states.h"
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

enum { SIZE = 256 << 10, PAGE = 4096 };

static char *filled(char *at, int with) {
    if (at == MAP_FAILED) failed("mmap", __FILE__, __LINE__);
    for (int i = 0; i < SIZE; i++) at[i] = (char)(i * 31 + with);
    return at;
}

static char *anonymous(int with, int flags) {
    return filled(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0), with);
}

static void advised(int with, int advice) { TRY(madvise(anonymous(with, MAP_PRIVATE), SIZE, advice)); }

void memory(void) {
    char *holes = anonymous(1, MAP_PRIVATE);
    TRY(munmap(holes + PAGE * 8, PAGE * 4));
    TRY(mprotect(holes + PAGE * 16, PAGE, PROT_NONE));
    TRY(mprotect(holes + PAGE * 20, PAGE, PROT_READ));
    anonymous(2, MAP_SHARED);
    TRY(mlock(anonymous(3, MAP_PRIVATE), PAGE));
    mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);
    mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_GROWSDOWN, -1, 0);
    advised(4, MADV_DONTFORK);
    advised(5, MADV_WIPEONFORK);
    advised(6, MADV_DONTDUMP);
    advised(7, MADV_MERGEABLE);
    advised(8, MADV_NOHUGEPAGE);
    advised(9, MADV_RANDOM);
    char *dropped = anonymous(10, MAP_PRIVATE);
    TRY(madvise(dropped, PAGE * 8, MADV_DONTNEED));

    int file = TRY(open("/data/mapped", O_RDWR | O_CREAT, 0600));
    TRY(ftruncate(file, SIZE));
    filled(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), 11);
    char *copied = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (copied == MAP_FAILED) failed("mmap", __FILE__, __LINE__);
    strcpy(copied + PAGE * 3, "changed in memory only");
    close(file);

    int sealed = TRY(memfd_create("sealed", MFD_ALLOW_SEALING));
    TRY(ftruncate(sealed, SIZE));
    filled(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0), 12);
    TRY(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));

    int segment = TRY(shmget(0x5eed, SIZE, IPC_CREAT | 0640));
    TRY(filled(shmat(segment, NULL, 0), 13));
    int marked = TRY(shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600));
    TRY(filled(shmat(marked, NULL, 0), 14));

    if (TRY(fork()) == 0) for (;;) pause(); /* shares by copy on write */
}
