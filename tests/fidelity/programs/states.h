/* What the parts of `states` share: each sets up one kind of state, and stays. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* What fails is a probe that shows less than it says: it ends, and the container with it. */
#define TRY(call) ({ long got_ = (long)(call); if (got_ == -1) failed(#call, __FILE__, __LINE__); got_; })

void failed(const char *call, const char *file, int line);
void task(void);
void memory(void);
void descriptors(void);
void sockets(void);
void queues(void);
void tree(const char *top);
