// Standard streams: what a descriptor can be used for besides reading and writing in its own direction.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "attack.h"

static int again(int fd, int flags) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags);
}

static enum verdict no_file(int fd) {
  struct stat status;
  if (fstat(fd, &status) == -1) return refused(errno, "fstat %d", fd);
  return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) ? SUCCEEDED : refused(EINVAL, "%d is no file", fd);
}

// stream-rewrite FD: replaces the content of a file that was opened for reading.
static enum verdict rewrite(char** arguments) {
  const int fd = atoi(arguments[0]);
  if (no_file(fd) != SUCCEEDED) return REFUSED;
  const int file = again(fd, O_WRONLY | O_TRUNC);
  if (file == -1) return refused(errno, "opening %d to write", fd);
  return judge_result(write(file, "evil\n", 5), "rewriting what was opened for reading");
}

// stream-read FD: reads a file that was opened for writing.
static enum verdict read_back(char** arguments) {
  const int fd = atoi(arguments[0]);
  if (no_file(fd) != SUCCEEDED) return REFUSED;
  char text[256] = {0};
  const int file = again(fd, O_RDONLY);
  if (file == -1) return refused(errno, "opening %d to read", fd);
  const ssize_t got = read(file, text, sizeof text - 1);
  return got > 0 ? succeeded("read: %s", text) : refused(errno, "reading");
}

// stream-truncate FD: truncates a file.
static enum verdict truncate_file(char** arguments) {
  return judge_result(ftruncate(atoi(arguments[0]), 0), "truncating");
}

// stream-steal FD: reads what others have written to its output pipe. stream-inject FD: writes to its input pipe.
static enum verdict steal(char** arguments) {
  const int pipe = again(atoi(arguments[0]), O_RDONLY | O_NONBLOCK);
  if (pipe == -1) return refused(errno, "opening the pipe to read");
  char text[256] = {0};
  const ssize_t got = read(pipe, text, sizeof text - 1);
  return got > 0 ? succeeded("read: %s", text) : refused(got == 0 ? ENODATA : errno, "reading");
}
static enum verdict inject(char** arguments) {
  const int pipe = again(atoi(arguments[0]), O_WRONLY | O_NONBLOCK);
  if (pipe == -1) return refused(errno, "opening the pipe to write");
  return judge_result(write(pipe, "evil\n", 5), "writing");
}

// stream-mode FD MODE, stream-attribute FD: a guest may change its own pipe, so the tests look at the file outside.
static enum verdict change_mode(char** arguments) {
  return judge_result(fchmod(atoi(arguments[0]), (mode_t)strtoul(arguments[1], NULL, 8)), "fchmod");
}
static enum verdict set_attribute(char** arguments) {
  return judge_result(fsetxattr(atoi(arguments[0]), "user.evil", "1", 1, 0), "setxattr");
}

// stream-lock FD, stream-lease FD: takes a lock or a lease and keeps it for a while.
static enum verdict hold(long result, const char* what) {
  const enum verdict verdict = judge_result(result, what);
  fflush(stdout);
  fputs("held\n", stderr);
  sleep(600);
  return verdict;
}
static enum verdict lock(char** arguments) { return hold(flock(atoi(arguments[0]), LOCK_EX | LOCK_NB), "flock"); }
static enum verdict lease(char** arguments) {
  return hold(fcntl(atoi(arguments[0]), F_SETLEASE, F_RDLCK), "F_SETLEASE");
}

// stream-walk FD PATH: opens a file of the host below a directory that is a stream.
static enum verdict walk(char** arguments) {
  return judge_result(openat(atoi(arguments[0]), arguments[1], O_RDONLY), arguments[1]);
}

// stream-reconnect FD PORT: reconnects a connected socket to a service of the loopback address.
static enum verdict reconnect(char** arguments) {
  const int fd = atoi(arguments[0]);
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  if (connect(fd, &none, sizeof none) == -1) return refused(errno, "disconnecting");
  const struct sockaddr_in service = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return judge_result(connect(fd, (const struct sockaddr*)&service, sizeof service), "connecting again");
}

// stream-interfaces FD: lists the interfaces of the network in which the socket was made.
static enum verdict interfaces(char** arguments) {
  struct ifreq found[32];
  struct ifconf request = {.ifc_len = sizeof found, .ifc_req = found};
  if (ioctl(atoi(arguments[0]), SIOCGIFCONF, &request) == -1) return refused(errno, "SIOCGIFCONF");
  return succeeded("%zu interfaces", (size_t)request.ifc_len / sizeof *found);
}

// stream-abstract FD NAME: sends a message to an abstract socket of the host.
static enum verdict send_to_abstract(char** arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t length = strlen(arguments[1]);
  memcpy(address.sun_path + 1, arguments[1], length);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  return judge_result(sendto(atoi(arguments[0]), "evil", 4, 0, (const struct sockaddr*)&address, size),
                      "sending to an abstract socket");
}

// stream-terminal FD: makes every change that stays on a terminal. Reports the last error.
static enum verdict spoil_terminal(char** arguments) {
  const int fd = atoi(arguments[0]);
  const int discipline = 27;  // N_NULL, where the kernel has it
  const int results[] = {fchmod(fd, 0666), ioctl(fd, TIOCEXCL), ioctl(fd, TIOCSETD, &discipline),
                         fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), tcflow(fd, TCOOFF)};
  int done = 0;
  for (size_t i = 0; i < sizeof results / sizeof *results; i++) done += results[i] == 0;
  return done > 0 ? succeeded("%d changes", done) : refused(errno, "changing the terminal");
}

// stream-state FD: prints the terminal's state, for the tests to compare before and after the guest.
static enum verdict terminal_state(char** arguments) {
  const int fd = atoi(arguments[0]);
  struct stat status = {0};
  int exclusive = 0, discipline = 0;
  fstat(fd, &status);
  ioctl(fd, TIOCGEXCL, &exclusive);
  ioctl(fd, TIOCGETD, &discipline);
  tcflow(fd, TCOON);  // suspended output must not block the line below
  struct termios modes = {0};
  tcgetattr(fd, &modes);
  return succeeded("mode %o owner %u exclusive %d discipline %d nonblock %d local modes %o", status.st_mode & 07777,
                   status.st_uid, exclusive, discipline, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, modes.c_lflag);
}

const struct probe stream_probes[] = {{"stream-rewrite", "FD", rewrite, 0},
                                      {"stream-read", "FD", read_back, 0},
                                      {"stream-steal", "FD", steal, 0},
                                      {"stream-inject", "FD", inject, 0},
                                      {"stream-truncate", "FD", truncate_file, 0},
                                      {"stream-mode", "FD MODE", change_mode, 0},
                                      {"stream-attribute", "FD", set_attribute, 0},
                                      {"stream-lock", "FD", lock, 0},
                                      {"stream-lease", "FD", lease, 0},
                                      {"stream-walk", "FD PATH", walk, 0},
                                      {"stream-reconnect", "FD PORT", reconnect, 0},
                                      {"stream-interfaces", "FD", interfaces, 0},
                                      {"stream-abstract", "FD NAME", send_to_abstract, 0},
                                      {"stream-terminal", "FD", spoil_terminal, 0},
                                      {"stream-state", "FD", terminal_state, 0},
                                      {NULL, NULL, NULL, 0}};
