/* Holds up, fails or dies in the syncs of a program that is started with this in LD_PRELOAD.
 *
 * $FAILING_DISK is a folder. A file in it named `FAULT-KIND` makes each sync of that kind fault for as long as
 * it is there: FAULT is stall, fail (EIO), interrupt (EINTR) or kill (SIGKILL), KIND is data (fdatasync), file or folder (fsync).
 * It holds a number: so many of the process's syncs of that kind come first. Not by thread, as strace counts:
 * a pool's threads take turns as they like. Each sync that meets a fault appends a byte to `faulted`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const kinds[] = {"data", "file", "folder"};
static atomic_int counts[3];

static int faults(const char *fault, int kind, int count) {
  char path[4096], text[16] = "";
  snprintf(path, sizeof path, "%s/%s-%s", getenv("FAILING_DISK"), fault, kinds[kind]);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return count > atoi(text);
}

static int met(const char *fault, int kind, int count) {
  if (!faults(fault, kind, count)) return 0;
  char path[4096];
  snprintf(path, sizeof path, "%s/faulted", getenv("FAILING_DISK"));
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(fd, ".", 1) != 1) abort();
  close(fd);
  return 1;
}

static int sync_with_faults(long call, int kind, int fd) {
  int count = atomic_fetch_add(&counts[kind], 1) + 1;
  if (met("stall", kind, count))
    while (faults("stall", kind, count)) usleep(1000);
  if (met("kill", kind, count)) kill(getpid(), SIGKILL);
  if (met("fail", kind, count)) return errno = EIO, -1;
  if (met("interrupt", kind, count)) return errno = EINTR, -1;
  return syscall(call, fd);
}

int fdatasync(int fd) { return sync_with_faults(SYS_fdatasync, 0, fd); }

int fsync(int fd) {
  struct stat st;
  int is_folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
  return sync_with_faults(SYS_fsync, is_folder ? 2 : 1, fd);
}

/* What the program looks up in the C library itself is found here first, as everything else is. */
void *dlopen(const char *name, int flags) {
  void *(*next)(const char *, int) = dlsym(RTLD_NEXT, "dlopen");
  return next(name != NULL && strcmp(name, "libc.so.6") == 0 ? NULL : name, flags);
}
