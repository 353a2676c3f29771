// Mounts and namespaces: making, changing and joining them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

enum { BIND = 4096, RECURSIVE = 16384, REMOUNT = 32, READ_ONLY = 1 };

static long mount_it(const char* source, const char* target, const char* type, unsigned long flags, const char* data) {
  return syscall(SYS_mount, source, target, type, flags, data);
}

static enum verdict mount_tmpfs(char** arguments) {
  (void)arguments;
  return judge_result(mount_it("x", "/tmp", "tmpfs", 0, ""), "mount of a tmpfs");
}

static enum verdict mount_bind(char** arguments) {
  (void)arguments;
  return judge_result(mount_it("/etc", "/tmp", NULL, BIND, NULL), "bind of /etc");
}

static enum verdict mount_cgroup(char** arguments) {
  (void)arguments;
  const long result = mount_it("x", "/tmp", "cgroup", 0, "none,name=isolate");
  if (result == 0) return succeeded("mount of cgroup");
  return judge_result(mount_it("x", "/tmp", "cgroup2", 0, NULL), "mount of cgroup2");
}

static enum verdict unmount_proc(char** arguments) {
  (void)arguments;
  return judge_result(syscall(SYS_umount2, "/proc", 2L), "unmount of /proc");
}

// writable PATH...: tries each way to clear the read-only flag. The proof is that it can make a file there.
static enum verdict writable(char** arguments) {
  int error = EROFS;
  for (; *arguments != NULL; arguments++) {
    char file[4096];
    snprintf(file, sizeof file, "%s/made-by-attack", *arguments);
    struct mount_attr clear = {.attr_clr = MOUNT_ATTR_RDONLY};
    mount_it(NULL, *arguments, NULL, REMOUNT, NULL);
    mount_it(NULL, *arguments, NULL, REMOUNT | BIND, NULL);
    syscall(SYS_mount_setattr, AT_FDCWD, *arguments, 0L, &clear, sizeof clear);
    mount_it(*arguments, "/tmp", NULL, BIND | RECURSIVE, NULL);
    mount_it(NULL, "/tmp", NULL, REMOUNT | BIND, NULL);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) error = errno;
    // A copy of the tree as a mount of the program's own.
    const int tree = (int)syscall(SYS_open_tree, AT_FDCWD, *arguments, 1L);
    if (fd == -1 && tree != -1) {
      syscall(SYS_mount_setattr, tree, "", (long)AT_EMPTY_PATH, &clear, sizeof clear);
      fd = openat(tree, "made-by-attack", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    if (fd != -1) return succeeded("a file made in %s", *arguments);
  }
  return refused(error, "making them writable");
}

static enum verdict new_mount_calls(char** arguments) {
  (void)arguments;
  const char* through = NULL;
  struct mount_attr none = {0};
  const long calls[] = {syscall(SYS_fsopen, "tmpfs", 0L) == -1 ? errno : 0,
                        syscall(SYS_fspick, -1L, "", 8L) == -1 ? errno : 0,
                        syscall(SYS_fsconfig, -1L, 0L, NULL, NULL, 0L) == -1 ? errno : 0,
                        syscall(SYS_fsmount, -1L, 0L, 0L) == -1 ? errno : 0,
                        syscall(SYS_open_tree, -1L, "", 0x1001L) == -1 ? errno : 0,
                        syscall(SYS_move_mount, -1L, "", -1L, "", 4L) == -1 ? errno : 0,
                        syscall(SYS_mount_setattr, -1L, "", 0x1000L, &none, sizeof none) == -1 ? errno : 0};
  const char* const names[] = {"fsopen", "fspick", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr"};
  for (int i = 0; i < 7; i++)
    if (calls[i] != EPERM && calls[i] != ENOSYS) through = names[i];
  if (through != NULL) return succeeded("%s reaches the kernel", through);
  return refused((int)calls[0], "fsopen and the like");
}

static enum verdict pivot(char** arguments) {
  (void)arguments;
  return judge_call(syscall(SYS_pivot_root, "/no/such/dir", "/no/such/dir"), "pivot_root");
}

// Makes new namespaces in each possible way.
static enum verdict unshare_user(char** arguments) {
  (void)arguments;
  return judge_result(unshare(CLONE_NEWUSER), "unshare of the user namespace");
}

static enum verdict unshare_mounts(char** arguments) {
  (void)arguments;
  return judge_result(unshare(CLONE_NEWNS), "unshare of the mount namespace");
}

static enum verdict unshare_others(char** arguments) {
  (void)arguments;
  const int kinds[] = {CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWCGROUP, 0x80};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (unshare(kinds[i]) == 0) return succeeded("unshare of %#x", kinds[i]);
  return refused(errno, "unshare of namespaces");
}

static enum verdict clone_user(char** arguments) {
  (void)arguments;
  const long child = syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  return judge_result(child, "clone with a new user namespace");
}

static enum verdict clone_user_i386(char** arguments) {
  (void)arguments;
  const long child = call_i386(120, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return judge_result(child, "clone with a new user namespace by int 0x80");
}

static enum verdict join(char** arguments) {
  (void)arguments;
  const char* const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
  int error = EPERM;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd != -1 && setns(fd, 0) == 0) return succeeded("joined %s", path);
    error = errno;
  }
  return refused(error, "joining namespaces of pid 1");
}

static enum verdict host_name(char** arguments) {
  (void)arguments;
  return judge_result(sethostname("attacked", 8) == 0 ? 0 : setdomainname("attacked", 8), "names of the machine");
}

// fresh-proc: mounts its own proc file system, which must not show more than the existing one.
static enum verdict fresh_proc(char** arguments) {
  (void)arguments;
  if (unshare(CLONE_NEWNS) == -1 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1) return refused(errno, "unshare");
  if (mount_it("proc", "/tmp", "proc", 0, NULL) == -1) return refused(errno, "mount of proc");
  if (open("/tmp/sys/kernel/core_pattern", O_WRONLY) != -1) return succeeded("core_pattern of a fresh proc");
  if (open("/tmp/sysrq-trigger", O_WRONLY) != -1) return succeeded("sysrq-trigger of a fresh proc");
  return refused(errno, "writing to a fresh proc");
}

// bomb [DEPTH]: binds a tree into itself until the kernel refuses. Prints the number of rounds.
static enum verdict bomb(char** arguments) {
  const int most = arguments[0] != NULL ? atoi(arguments[0]) : 30;
  if (mkdir("/tmp/bomb", 0700) == -1 || mount_it("x", "/tmp/bomb", "tmpfs", 0, "") == -1)
    return refused(errno, "the first mount");
  mkdir("/tmp/bomb/a", 0700);
  mkdir("/tmp/bomb/b", 0700);
  for (int round = 0; round < most; round++) {
    const char* target = round % 2 == 0 ? "/tmp/bomb/a" : "/tmp/bomb/b";
    if (mount_it("/tmp/bomb", target, NULL, BIND | RECURSIVE, NULL) == -1) {
      const int error = errno;
      return refused(error, "round %d", round + 1);
    }
  }
  return succeeded("%d rounds", most);
}

const struct probe mount_probes[] = {{"mount-tmpfs", "", mount_tmpfs, 1},
                                     {"mount-bind", "", mount_bind, 1},
                                     {"mount-cgroup", "", mount_cgroup, 1},
                                     {"unmount", "", unmount_proc, 1},
                                     {"writable", "PATH...", writable, 0},
                                     {"new-mount-calls", "", new_mount_calls, 1},
                                     {"pivot-root", "", pivot, 1},
                                     {"unshare-user", "", unshare_user, 1},
                                     {"unshare-mounts", "", unshare_mounts, 1},
                                     {"unshare-others", "", unshare_others, 1},
                                     {"clone-user", "", clone_user, 1},
                                     {"clone-user-i386", "", clone_user_i386, 1},
                                     {"join", "", join, 1},
                                     {"host-name", "", host_name, 1},
                                     {"fresh-proc", "", fresh_proc, 1},
                                     {"mount-bomb", "[ROUNDS]", bomb, 0},
                                     {NULL, NULL, NULL, 0}};
