// Processes: taking over pid 1, and making too many of them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

static enum verdict trace_init(char** arguments) {
  (void)arguments;
  if (ptrace(PTRACE_SEIZE, 1, NULL, NULL) == -1) return refused(errno, "ptrace of pid 1");
  ptrace(PTRACE_DETACH, 1, NULL, NULL);
  return succeeded("ptrace of pid 1");
}

static enum verdict steal_descriptor(char** arguments) {
  (void)arguments;
  const int process = (int)syscall(SYS_pidfd_open, 1L, 0L);
  if (process == -1) return refused(errno, "pidfd_open of pid 1");
  int error = EBADF;
  for (long fd = 0; fd < 64; fd++) {
    if (syscall(SYS_pidfd_getfd, process, fd, 0L) != -1) return succeeded("descriptor %ld of pid 1", fd);
    if (errno != EBADF) error = errno;
  }
  return refused(error, "descriptors of pid 1");
}

static enum verdict open_descriptor(char** arguments) {
  (void)arguments;
  int error = ENOENT;
  for (int fd = 0; fd < 64; fd++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/fd/%d", fd);
    if (open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) != -1) return succeeded("%s", path);
    if (errno != ENOENT) error = errno;
  }
  return refused(error, "/proc/1/fd");
}

static enum verdict init_memory(char** arguments) {
  (void)arguments;
  char byte;
  const struct iovec own = {&byte, 1}, other = {(void*)0x400000, 1};
  if (process_vm_readv(1, &own, 1, &other, 1, 0) == 1) return succeeded("memory of pid 1");
  if (errno == EFAULT) return succeeded("memory of pid 1 is open, and empty there");
  return refused(errno, "memory of pid 1");
}

static enum verdict kill_init(char** arguments) {
  (void)arguments;
  for (int signal = 1; signal <= SIGRTMAX; signal++) kill(1, signal);
  usleep(100000);
  return kill(1, 0) == 0 ? refused(EPERM, "signals to pid 1 have no effect") : succeeded("pid 1 is gone");
}

static enum verdict more_by_setuid(char** arguments) {
  (void)arguments;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return refused(EPERM, "no new privileges");
  return succeeded("set-user-id programs have effect");
}

// forks COUNT IDS: starts children that wait, spread over that many user ids. Prints how many there were in the end.
static enum verdict forks(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("how many, over how many ids?");
  const int wanted = atoi(arguments[0]), ids = atoi(arguments[1]);
  int made = 0, error = 0, gate[2];
  if (pipe(gate) == -1) return not_tried("no pipe");
  // Each id has its own process that forks, so that the limit of one id does not stop the others.
  for (int id = 0; id < ids; id++) {
    int report[2];
    if (pipe(report) == -1) return not_tried("no pipe");
    const pid_t forker = fork();
    if (forker == -1) {
      error = errno;
      break;
    }
    if (forker == 0) {
      int count[2] = {0, 0};
      char byte;
      close(gate[1]);
      if (id > 0 && (setgid((gid_t)id) == -1 || setuid((uid_t)id) == -1)) _exit(NOT_TRIED);
      while (count[0] < wanted / ids) {
        const pid_t child = fork();
        if (child == 0) _exit((int)read(gate[0], &byte, 1));
        if (child == -1) {
          count[1] = errno;
          break;
        }
        count[0]++;
      }
      if (write(report[1], count, sizeof count) != sizeof count) _exit(NOT_TRIED);
      _exit((int)read(gate[0], &byte, 1));
    }
    int count[2];
    close(report[1]);
    if (read(report[0], count, sizeof count) != sizeof count) return not_tried("id %d can't be become", id);
    close(report[0]);
    made += count[0] + 1;
    if (count[1] != 0) error = count[1];
  }
  printf("processes: %d\n", made);
  close(gate[1]);
  if (error != 0) return refused(error, "%d processes of %d ids", wanted, ids);
  return succeeded("%d processes of %d ids", made, ids);
}

const struct probe process_probes[] = {{"trace-init", "", trace_init, 1},
                                       {"steal-descriptor", "", steal_descriptor, 1},
                                       {"init-descriptors", "", open_descriptor, 1},
                                       {"init-memory", "", init_memory, 1},
                                       {"kill-init", "", kill_init, 0},
                                       {"set-user-id", "", more_by_setuid, 1},
                                       {"forks", "COUNT IDS", forks, 0},
                                       {NULL, NULL, NULL, 0}};
