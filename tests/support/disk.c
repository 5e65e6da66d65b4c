/* A disk that can be watched and broken: preloaded into the real daemon, it stands between SQLite and the system for
 * the store's file and its write-ahead log, and for nothing else.
 *
 * ORDERFEED_DISK_LOG   every write, truncation and sync of them is appended to this file, together with what leaves
 *                      through sockets, in the order in which it happened: whatever was synced before something left is
 *                      before it in the file.
 * ORDERFEED_DISK_FAULT "what:n:times": from the n-th write or sync on, so many of them fail. what is eio, enospc,
 *                      short (half of it is written, then there is no space) or fsync.
 *
 * A record: kind (1 byte), file (1 byte), then three 8 byte numbers (offset or length, length of the data, descriptor),
 * then the data. Kinds: W write, T truncate, S sync, N sent. Files: 0 the store, 1 its log, 2 a socket. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4096
static unsigned char tracked[MOST]; /* 0 not ours, 1 the store, 2 its log */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char fault[16];
static long fault_from = -1, fault_times = 0, counted = 0;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_writev)(int, const struct iovec *, int);

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_open = dlsym(RTLD_NEXT, "open");
  real_close = dlsym(RTLD_NEXT, "close");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_send = dlsym(RTLD_NEXT, "send");
  real_writev = dlsym(RTLD_NEXT, "writev");
  const char *path = getenv("ORDERFEED_DISK_LOG");
  if (path) log_fd = real_open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const char *plan = getenv("ORDERFEED_DISK_FAULT");
  if (plan) sscanf(plan, "%15[a-z]:%ld:%ld", fault, &fault_from, &fault_times);
}

static int ours(int fd) { return fd >= 0 && fd < MOST ? tracked[fd] : 0; }

static void all(const void *data, size_t size) {
  const char *at = data;
  while (size > 0) {
    ssize_t done = real_write(log_fd, at, size);
    if (done <= 0) return;
    at += done;
    size -= (size_t)done;
  }
}

static void note(char kind, int file, int64_t number, int64_t fd, const void *data, int64_t size) {
  if (log_fd < 0) return;
  char head[26] = {kind, (char)file};
  memcpy(head + 2, &number, 8);
  memcpy(head + 10, &size, 8);
  memcpy(head + 18, &fd, 8);
  all(head, sizeof head);
  if (size > 0) all(data, (size_t)size);
}

/* Whether this call is one of those that fail. The lock is held. */
static int fails(const char *what) {
  if (fault_from < 0) return 0;
  if (!strcmp(fault, "fsync") != !strcmp(what, "fsync")) return 0;
  long number = ++counted;
  return number >= fault_from && number < fault_from + fault_times;
}

static void watch(int fd, const char *path) {
  if (fd < 0 || fd >= MOST) return;
  tracked[fd] = 0;
  size_t size = strlen(path);
  if (size >= 12 && !strcmp(path + size - 12, "orderfeed.db")) tracked[fd] = 1;
  if (size >= 16 && !strcmp(path + size - 16, "orderfeed.db-wal")) tracked[fd] = 2;
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = va_arg(more, mode_t);
  va_end(more);
  int fd = real_open(path, flags, mode);
  watch(fd, path);
  return fd;
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = va_arg(more, mode_t);
  va_end(more);
  int fd = real_open(path, flags | O_LARGEFILE, mode);
  watch(fd, path);
  return fd;
}

int close(int fd) {
  if (fd >= 0 && fd < MOST) tracked[fd] = 0;
  return real_close(fd);
}

static ssize_t put(int fd, const void *data, size_t size, off_t at) {
  pthread_mutex_lock(&lock);
  ssize_t done;
  if (fails("write")) {
    if (!strcmp(fault, "short") && size > 1) {
      done = real_pwrite(fd, data, size / 2, at);
      if (done > 0) note('W', ours(fd) - 1, at, fd, data, done);
    }
    errno = !strcmp(fault, "eio") ? EIO : ENOSPC;
    done = -1;
  } else {
    done = real_pwrite(fd, data, size, at);
    if (done > 0) note('W', ours(fd) - 1, at, fd, data, done);
  }
  int why = errno;
  pthread_mutex_unlock(&lock);
  errno = why;
  return done;
}

static int leaves(int fd) {
  struct stat what;
  return log_fd >= 0 && fd != log_fd && !fstat(fd, &what) && S_ISSOCK(what.st_mode);
}

static ssize_t sent(int fd, const struct iovec *parts, int count) {
  pthread_mutex_lock(&lock);
  ssize_t done = real_writev(fd, parts, count);
  int why = errno;
  size_t left = done > 0 ? (size_t)done : 0;
  for (int part = 0; part < count && left > 0; part++) {
    size_t size = parts[part].iov_len < left ? parts[part].iov_len : left;
    note('N', 2, 0, fd, parts[part].iov_base, (int64_t)size);
    left -= size;
  }
  pthread_mutex_unlock(&lock);
  errno = why;
  return done;
}

ssize_t write(int fd, const void *data, size_t size) {
  if (!ours(fd)) {
    struct iovec whole = {(void *)data, size};
    return leaves(fd) ? sent(fd, &whole, 1) : real_write(fd, data, size);
  }
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t done = put(fd, data, size, at);
  if (done > 0) lseek(fd, at + done, SEEK_SET);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  return ours(fd) ? put(fd, data, size, at) : real_pwrite(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwrite(fd, data, size, (off_t)at); }

ssize_t send(int fd, const void *data, size_t size, int flags) {
  struct iovec whole = {(void *)data, size};
  return leaves(fd) ? sent(fd, &whole, 1) : real_send(fd, data, size, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return leaves(fd) ? sent(fd, parts, count) : real_writev(fd, parts, count);
}

int ftruncate(int fd, off_t size) {
  if (!ours(fd)) return real_ftruncate(fd, size);
  pthread_mutex_lock(&lock);
  int done = real_ftruncate(fd, size);
  if (done == 0) note('T', ours(fd) - 1, size, fd, NULL, 0);
  pthread_mutex_unlock(&lock);
  return done;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, (off_t)size); }

static int synced(int fd, int (*real)(int)) {
  if (!ours(fd)) return real(fd);
  pthread_mutex_lock(&lock);
  int done = 0, why = 0;
  if (fails("fsync")) {
    done = -1;
    why = EIO;
  } else {
    done = real(fd);
    why = errno;
    if (done == 0) note('S', ours(fd) - 1, 0, fd, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = why;
  return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }
