// How a probe reports what happened.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

static const struct {
  int error;
  const char* name;
} names[] = {{EPERM, "EPERM"},
             {ENOENT, "ENOENT"},
             {ESRCH, "ESRCH"},
             {EINTR, "EINTR"},
             {EIO, "EIO"},
             {ENXIO, "ENXIO"},
             {E2BIG, "E2BIG"},
             {EBADF, "EBADF"},
             {ECHILD, "ECHILD"},
             {EAGAIN, "EAGAIN"},
             {ENOMEM, "ENOMEM"},
             {EACCES, "EACCES"},
             {EFAULT, "EFAULT"},
             {EBUSY, "EBUSY"},
             {EEXIST, "EEXIST"},
             {ENODEV, "ENODEV"},
             {ENOTDIR, "ENOTDIR"},
             {EINVAL, "EINVAL"},
             {ENOTTY, "ENOTTY"},
             {ETXTBSY, "ETXTBSY"},
             {ENOSPC, "ENOSPC"},
             {EROFS, "EROFS"},
             {ENOEXEC, "ENOEXEC"},
             {ENOSYS, "ENOSYS"},
             {ELOOP, "ELOOP"},
             {EOPNOTSUPP, "EOPNOTSUPP"},
             {EAFNOSUPPORT, "EAFNOSUPPORT"},
             {ECONNREFUSED, "ECONNREFUSED"},
             {ENOKEY, "ENOKEY"},
             {EOVERFLOW, "EOVERFLOW"},
             {EPROTONOSUPPORT, "EPROTONOSUPPORT"}};

const char* error_name(int error) {
  static char number[16];
  if (error == 0) return "no error";
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].error == error) return names[i].name;
  snprintf(number, sizeof number, "error %d", error);
  return number;
}

enum verdict succeeded(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("succeeded: ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  return SUCCEEDED;
}

enum verdict refused(int error, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("refused: %s: ", error_name(error));
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  return REFUSED;
}

enum verdict not_tried(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("not tried: ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  return NOT_TRIED;
}

enum verdict judge_call(long result, const char* what) {
  const int error = errno;
  if (result >= 0) return succeeded("%s", what);
  if (error == EPERM || error == EACCES || error == EROFS || error == ENOSYS) return refused(error, "%s", what);
  return succeeded("%s, whose arguments gave %s", what, error_name(error));
}

enum verdict judge_result(long result, const char* what) {
  const int error = errno;
  if (result >= 0) return succeeded("%s", what);
  return refused(error, "%s", what);
}

void* low_memory(size_t size) {
  void* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (memory == MAP_FAILED) {
    perror("mmap");
    exit(NOT_TRIED);
  }
  return memory;
}

// A kernel that runs no 32-bit programs answers the first such call with a signal. The result is kept.
static int has_i386(void) {
  static int known = -1;
  if (known != -1) return known;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "r8", "r9", "r10", "r11", "memory");
    _exit(result > 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  known = WIFEXITED(status);
  return known;
}

long call_i386(long number, long a, long b, long c, long d, long e) {
  long result;
  if (!has_i386()) {
    errno = ENOEXEC;
    return -1;
  }
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "r8", "r9", "r10", "r11", "memory");
  const int value = (int)result;
  if (value < 0 && value > -4096) {
    errno = -value;
    return -1;
  }
  return value;
}
