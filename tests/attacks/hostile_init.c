// A hostile init of a template: /sbin/init of a root for the lxc engine. It attacks each process of isolate that it
// sees, as /init.mode says, and writes its successes to /init.log. To show that the attacks work, it also makes them on
// a process of its own, which it calls "control". The modes are:
//   take    takes descriptors and memory, replaces the program, traces, rewrites the setup, and reports an end on the
//           control socket
//   stop    sends SIGSTOP, again and again
//   limits  sets all limits to 0, and the lowest priority
//   kill    sends SIGKILL
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 16, PATH_SIZE = 64 };

static void note(const char* victim, const char* attack) {
  char line[128];
  const int length = snprintf(line, sizeof line, "%s: %s\n", victim, attack);
  const int log = open("/init.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (write(log, line, (size_t)length) != length) _exit(1);
  close(log);
}

// Returns whether a process is one of isolate's, and its name. A process executed by descriptor may have its number as
// name.
static int is_isolates(pid_t pid, char name[PATH_SIZE]) {
  static const char* const names[] = {"isolate-lxc", "isolate-init", "isolate-exec", "3"};
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t got = file < 0 ? -1 : read(file, name, PATH_SIZE - 1);
  if (file >= 0) close(file);
  if (got <= 0) return 0;
  name[got - 1] = 0;
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return 1;
  return 0;
}

// Uses the descriptor for an attack, and returns what that did.
static const char* use(int descriptor) {
  const struct {
    unsigned kind;
    int value;
  } end = {4, 42 << 8};  // Kind::ended, exit status 42
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
    send(descriptor, &end, sizeof end, MSG_NOSIGNAL | MSG_DONTWAIT);
    return "an end on the control socket";
  }
  char path[PATH_SIZE], target[PATH_SIZE] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  if (readlink(path, target, sizeof target - 1) < 0 || strstr(target, "memfd:isolate") == NULL) return "a descriptor";
  // All capabilities and no filters: these are the first words of the setup.
  const unsigned long long all = ~0ULL;
  return pwrite(descriptor, &all, sizeof all, 0) == sizeof all ? "the setup rewritten" : "a descriptor";
}

static int took_descriptor(const char* victim, int process) {
  int taken = 0;
  for (int number = 3; number < MOST_DESCRIPTORS; number++) {
    const int descriptor = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (descriptor < 0) continue;
    note(victim, use(descriptor));
    close(descriptor);
    taken = 1;
  }
  return taken;
}

static int opened_descriptor(pid_t pid) {
  char path[PATH_SIZE];
  for (int number = 0; number < MOST_DESCRIPTORS; number++) {
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) return close(descriptor), 1;
  }
  return 0;
}

static int opened_file(pid_t pid, const char* name, int flags) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  const int file = open(path, flags | O_CLOEXEC);
  return file >= 0 && close(file) == 0;
}

static int changed_program(pid_t pid) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  const int program = open(path, O_RDONLY | O_CLOEXEC);
  if (program < 0) return 0;
  const int changed = fchmod(program, 04755) == 0;
  close(program);
  return changed;
}

static int read_memory(pid_t pid) {
  char byte;
  const struct iovec own = {&byte, 1}, other = {(void*)0x400000, 1};
  return process_vm_readv(pid, &own, 1, &other, 1, 0) == 1 || errno == EFAULT;
}

static int traced(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) return 0;
  int status;
  ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
  waitpid(pid, &status, __WALL);
  ptrace(PTRACE_DETACH, pid, NULL, NULL);
  return 1;
}

// Notes the success unless the process has become the command in between, because that is not protected from the init.
static void note_success(const char* victim, pid_t pid, const char* attack) {
  char name[PATH_SIZE];
  if (strcmp(victim, "control") == 0 || is_isolates(pid, name)) note(victim, attack);
}

static void take(const char* victim, pid_t pid) {
  const int process = (int)syscall(SYS_pidfd_open, pid, 0);
  if (process < 0) return;
  took_descriptor(victim, process);
  close(process);
  if (opened_descriptor(pid)) note_success(victim, pid, "fd");
  if (opened_file(pid, "mem", O_RDWR)) note_success(victim, pid, "mem");
  if (opened_file(pid, "root", O_PATH)) note_success(victim, pid, "root");
  if (opened_file(pid, "environ", O_RDONLY)) note_success(victim, pid, "environ");
  if (changed_program(pid)) note_success(victim, pid, "exe");
  if (read_memory(pid)) note_success(victim, pid, "memory");
  if (traced(pid)) note_success(victim, pid, "ptrace");
}

static void limit(pid_t pid) {
  const struct sched_param none = {0};
  sched_setscheduler(pid, SCHED_IDLE, &none);
  setpriority(PRIO_PROCESS, (id_t)pid, 19);
  const struct rlimit zero = {0, 0};
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
    // These limits end the process, which is allowed.
    if (resource != RLIMIT_CPU && resource != RLIMIT_RTTIME && resource != RLIMIT_STACK)
      prlimit(pid, (enum __rlimit_resource)resource, &zero, NULL);
  }
}

static void attack(const char* mode, const char* victim, pid_t pid) {
  if (strcmp(mode, "take") == 0) take(victim, pid);
  if (strcmp(mode, "stop") == 0 && kill(pid, SIGSTOP) == 0) note(victim, "stopped");
  if (strcmp(mode, "limits") == 0) limit(pid);
  if (strcmp(mode, "kill") == 0 && kill(pid, SIGKILL) == 0) note(victim, "killed");
}

// Starts a process like those of isolate, but without their protection.
static pid_t start_control(void) {
  int ends[2];
  int ready[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0 || pipe(ready) != 0) _exit(1);
  const pid_t pid = fork();
  if (pid == 0) {
    if (memfd_create("isolate-setup", 0) < 0) _exit(1);
    prctl(PR_SET_NAME, "control");
    close(ready[0]);
    close(ready[1]);
    while (1) pause();
  }
  close(ends[0]);
  close(ends[1]);
  close(ready[1]);
  char end;
  while (read(ready[0], &end, 1) < 0) {
  }
  close(ready[0]);
  return pid;
}

int main(void) {
  char mode[16] = "";
  const int file = open("/init.mode", O_RDONLY | O_CLOEXEC);
  const ssize_t got = read(file, mode, sizeof mode - 1);
  close(file);
  mode[got > 0 && mode[got - 1] == '\n' ? got - 1 : 0] = 0;
  const pid_t control = start_control();
  attack(mode, "control", control);
  kill(control, SIGKILL);
  waitpid(control, NULL, 0);
  note("init", "waits");
  while (1) {
    DIR* processes = opendir("/proc");
    for (struct dirent* entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
      char name[PATH_SIZE];
      const pid_t pid = atoi(entry->d_name);
      if (pid > 1 && is_isolates(pid, name)) attack(mode, name, pid);
    }
    closedir(processes);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    if (strcmp(mode, "take") != 0) usleep(strcmp(mode, "stop") == 0 ? 10000 : 2000);
  }
}
