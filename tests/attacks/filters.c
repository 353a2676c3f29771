// Tries to undo a seccomp filter: with another filter, a listener, ptrace, and calls whose arguments no filter can see.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

// The attacks below make this call when a filter might be undone. EBADF is the kernel's own answer.
static long forbidden(void) { return syscall(SYS_ioctl, -1L, (long)TIOCSTI, NULL); }

static enum verdict judge_forbidden(const char* what) {
  if (forbidden() == -1 && errno == EBADF) return succeeded("%s: TIOCSTI reaches the kernel", what);
  return refused(errno, "%s: TIOCSTI", what);
}

static int install(struct sock_filter* code, unsigned short length, unsigned int flags) {
  struct sock_fprog program = {length, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static enum verdict second_filter(char** arguments) {
  (void)arguments;
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  if (install(allow, 1, 0) == -1) return refused(errno, "a second filter");
  return judge_forbidden("after a second filter");
}

static int send_descriptor(int socket, int descriptor) {
  char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

static int receive_descriptor(int socket) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) return -1;
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
  return descriptor;
}

// Lets every call continue that the filter asks about, until the child has ended.
static void let_continue(int listener) {
  struct pollfd poller = {listener, POLLIN, 0};
  while (poll(&poller, 1, 5000) == 1 && (poller.revents & POLLIN) != 0) {
    struct seccomp_notif request;
    memset(&request, 0, sizeof request);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == -1) return;
    struct seccomp_notif_resp response = {.id = request.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
}

static enum verdict listener(char** arguments) {
  (void)arguments;
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == -1) return not_tried("no socket pair");
  const pid_t child = fork();
  if (child == 0) {
    struct sock_filter ask[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const int descriptor = install(ask, 4, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (descriptor == -1 || send_descriptor(sockets[1], descriptor) == -1) _exit(NOT_TRIED);
    close(descriptor);
    _exit(forbidden() == -1 && errno == EBADF ? SUCCEEDED : REFUSED);
  }
  close(sockets[1]);
  const int descriptor = receive_descriptor(sockets[0]);
  if (descriptor != -1) let_continue(descriptor);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == NOT_TRIED) return refused(EPERM, "a listener");
  if (WEXITSTATUS(status) == SUCCEEDED) return succeeded("a listener that says continue: TIOCSTI reaches the kernel");
  return refused(EPERM, "a listener that says continue: TIOCSTI");
}

// A child calls getppid, and at the entry its tracer turns that into another call.
static enum verdict tracer(char** arguments) {
  (void)arguments;
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) _exit(NOT_TRIED);
    raise(SIGSTOP);
    const long result = syscall(SYS_getppid);
    _exit(result == -1 && errno == EBADF ? SUCCEEDED : REFUSED);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return refused(EPERM, "ptrace");
  ptrace(PTRACE_SETOPTIONS, child, NULL, (void*)PTRACE_O_TRACESYSGOOD);
  for (int stops = 0; stops < 100 && !WIFEXITED(status); stops++) {
    if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) == -1 || waitpid(child, &status, 0) == -1) break;
    struct user_regs_struct registers;
    if (!WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, child, NULL, &registers) == -1) continue;
    if (registers.orig_rax == SYS_getppid && (long)registers.rax == -ENOSYS) {
      registers.orig_rax = SYS_ioctl;
      registers.rdi = (unsigned long long)-1;
      registers.rsi = TIOCSTI;
      ptrace(PTRACE_SETREGS, child, NULL, &registers);
    }
  }
  if (!WIFEXITED(status)) return refused(EPERM, "a call changed by ptrace: signal");
  if (WEXITSTATUS(status) == SUCCEEDED) return succeeded("a call changed by ptrace: TIOCSTI reaches the kernel");
  return refused(EPERM, "a call changed by ptrace: TIOCSTI");
}

// The flags of clone3 lie in memory, where no filter can see them.
static enum verdict clone3_user(char** arguments) {
  (void)arguments;
  struct clone_args wanted = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  const long child = syscall(SYS_clone3, &wanted, sizeof wanted);
  if (child == 0) _exit(0);
  return judge_result(child, "clone3 with a new user namespace");
}

// tamper: installs a filter with another answer for one call, to check that the program's own filters work at all.
static enum verdict own_filter(char** arguments) {
  (void)arguments;
  struct sock_filter refuse[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  if (install(refuse, 4, 0) == -1) return refused(errno, "a filter of one's own");
  if (syscall(SYS_getppid) == -1 && errno == EXDEV) return succeeded("a filter of one's own");
  return refused(errno, "a filter of one's own has no effect");
}

const struct probe filter_probes[] = {{"second-filter", "", second_filter, 1}, {"filter-listener", "", listener, 1},
                                      {"filter-ptrace", "", tracer, 1},        {"clone3-user", "", clone3_user, 1},
                                      {"own-filter", "", own_filter, 0},       {NULL, NULL, NULL, 0}};
