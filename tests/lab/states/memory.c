/* Areas of memory with properties of their own. */
#include "states.h"
#include <setjmp.h>

enum { PAGE = 4096, SIZE = 64 * PAGE };
static char *area;

static char *mapped(int more) { return (char *)TRY(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | more, -1, 0)); }

/* One field of the area of this address in smaps. */
static const char *field(const char *at, const char *name) {
    static char found[256];
    char line[512];
    int inside = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    found[0] = 0;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char rest;
        if (sscanf(line, "%lx-%lx %c", &from, &to, &rest) == 3) inside = from <= (unsigned long)at && (unsigned long)at < to;
        else if (inside && !strncmp(line, name, strlen(name))) snprintf(found, sizeof found, "%.200s", line + strlen(name));
    }
    fclose(maps);
    return found;
}
static const char *flagged(const char *flag) { return strstr(field(area, "VmFlags:"), flag) ? NULL : said("%s is not in %s", flag, field(area, "VmFlags:")); }

static void all_locked_make(void) { TRY(mlockall(MCL_CURRENT | MCL_FUTURE)); }
static const char *all_locked_differs(void) { area = mapped(MAP_PRIVATE); return flagged(" lo"); }
static void on_fault_make(void) { area = mapped(MAP_PRIVATE); TRY(mlock2(area, SIZE, MLOCK_ONFAULT)); }
static const char *on_fault_differs(void) { const char *no = flagged(" lo"); SAME(atoi(field(area, "Rss:")), 0); return no; }

static sigjmp_buf back;
static void fault(int number) { siglongjmp(back, number); }
static int faults(volatile char *at) {
    signal(SIGSEGV, fault);
    if (sigsetjmp(back, 1)) return 1;
    *at = 1;
    return 0;
}
static void guard_make(void) { area = mapped(MAP_PRIVATE); TRY(madvise(area + 8 * PAGE, PAGE, 102 /* MADV_GUARD_INSTALL */)); }
static const char *guard_differs(void) { SAME(faults(area + 7 * PAGE), 0); SAME(faults(area + 8 * PAGE), 1); return NULL; }

static void droppable_make(void) { area = (char *)TRY(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | 8 /* MAP_DROPPABLE */, -1, 0)); }
static const char *droppable_differs(void) { return flagged(" dp"); }

static void sealed_make(void) { area = mapped(MAP_PRIVATE); area[0] = 'x'; TRY(syscall(462 /* mseal */, area, SIZE, 0)); }
static const char *sealed_differs(void) { SAME(munmap(area, SIZE), -1); return NULL; }

static int key;
static void key_make(void) { area = mapped(MAP_PRIVATE); key = (int)TRY(pkey_alloc(0, 0)); TRY(pkey_mprotect(area, SIZE, PROT_READ | PROT_WRITE, key)); TRY(pkey_set(key, PKEY_DISABLE_ACCESS)); }
static const char *key_differs(void) { SAME(faults(area), 1); return NULL; }

static void named_make(void) { area = mapped(MAP_PRIVATE); TRY(prctl(0x53564d41, 0, area, SIZE, "an area")); }
static const char *named_differs(void) {
    char line[512]; int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) found |= !!strstr(line, "[anon:an area]");
    fclose(maps);
    SAME(found, 1);
    return NULL;
}

static void merged_make(void) { TRY(prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0)); }
static const char *merged_differs(void) { SAME(prctl(68, 0, 0, 0, 0), 1); return NULL; }

static void private_file_make(void) {
    char path[] = "/tmp/mapped-and-gone";
    int fd = (int)TRY(open(path, O_RDWR | O_CREAT, 0600));
    TRY(ftruncate(fd, SIZE));
    area = (char *)TRY(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    strcpy(area, "shared, and without a name");
    close(fd);
    unlink(path);
}
static const char *private_file_differs(void) { return strcmp(area, "shared, and without a name") ? area : NULL; }

static void executable_make(void) {
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
    int fd = (int)TRY(memfd_create("code", 0));
    TRY(ftruncate(fd, PAGE));
    char *writes = (char *)TRY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    memcpy(writes, code, sizeof code);
    area = (char *)TRY(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
    close(fd);
}
static const char *executable_differs(void) { SAME(((int (*)(void))(void *)area)(), 42); return NULL; }

static void moved_make(void) {
    char *from = mapped(MAP_PRIVATE);
    strcpy(from, "moved");
    area = (char *)TRY(mremap(from, SIZE, SIZE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */));
}
static const char *moved_differs(void) { return strcmp(area, "moved") ? "not moved" : NULL; }

static void policy_make(void) { unsigned long near = 1; area = mapped(MAP_PRIVATE); TRY(syscall(SYS_mbind, area, SIZE, 2 /* bind */, &near, 8, 0)); }
static const char *policy_differs(void) { int is = -1; TRY(syscall(SYS_get_mempolicy, &is, NULL, 0, area, 2)); SAME(is, 2); return NULL; }

static char *heap;
static void heap_make(void) { heap = sbrk(1 << 20); memset(heap, 5, 1 << 20); }
static const char *heap_differs(void) { char *more = sbrk(1 << 20); SAME(more - heap >= 1 << 20, 1); more[PAGE] = 1; return NULL; }

static void copied(void) { area[0] = 'c'; }
static pid_t other;
static void halves_make(void) { area = mapped(MAP_PRIVATE); memset(area, 'p', SIZE); other = child(copied); usleep(50000); }
static const char *halves_differs(void) {
    char path[99], is[2 * PAGE];
    snprintf(path, sizeof path, "/proc/%d/mem", other);
    int fd = (int)TRY(open(path, O_RDONLY));
    TRY(pread(fd, is, sizeof is, (off_t)area));
    SAME(is[0], 'c');
    SAME(is[PAGE], 'p');
    SAME(area[0], 'p');
    return NULL;
}

const struct state memory[] = {
    {"lock-all", all_locked_make, all_locked_differs},
    {"lock-on-fault", on_fault_make, on_fault_differs},
    {"guard-page", guard_make, guard_differs},
    {"droppable", droppable_make, droppable_differs},
    {"sealed-area", sealed_make, sealed_differs},
    {"protection-key", key_make, key_differs},
    {"named-area", named_make, named_differs},
    {"merged-memory", merged_make, merged_differs},
    {"mapped-and-gone", private_file_make, private_file_differs},
    {"code-in-memfd", executable_make, executable_differs},
    {"moved-area", moved_make, moved_differs},
    {"area-policy", policy_make, policy_differs},
    {"heap-grows", heap_make, heap_differs},
    {"copy-on-write", halves_make, halves_differs},
    {0},
};
