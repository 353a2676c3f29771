// Prints the sandbox's answer to each system call. All arguments are bad, so the error shows whether the kernel has
// looked at them, that is, whether the call was let through.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

// The numbers in 64-bit and in 32-bit programs; -1 if there is none.
static const struct call {
  const char* name;
  long x86_64;
  long i386;
} calls[] = {{"_sysctl", 156, 149},
             {"acct", 163, 51},
             {"add_key", 248, 286},
             {"bpf", 321, 357},
             {"capset", 126, 185},
             {"chown", 92, 182},
             {"chroot", 161, 61},
             {"clock_adjtime", 305, 343},
             {"clock_settime", 227, 264},
             {"clone", 56, 120},
             {"clone3", 435, 435},
             {"close", 3, 6},
             {"connect", 42, 362},
             {"copy_file_range", 326, 377},
             {"create_module", 174, 127},
             {"delete_module", 176, 129},
             {"epoll_ctl", 233, 255},
             {"execve", 59, 11},
             {"fallocate", 285, 324},
             {"fanotify_init", 300, 338},
             {"fchownat", 260, 298},
             {"fcntl", 72, 55},
             {"finit_module", 313, 350},
             {"fsconfig", 431, 431},
             {"fsmount", 432, 432},
             {"fsopen", 430, 430},
             {"fspick", 433, 433},
             {"get_kernel_syms", 177, 130},
             {"get_mempolicy", 239, 275},
             {"getrandom", 318, 355},
             {"init_module", 175, 128},
             {"inotify_add_watch", 254, 292},
             {"io_uring_enter", 426, 426},
             {"io_uring_register", 427, 427},
             {"io_uring_setup", 425, 425},
             {"ioctl", 16, 54},
             {"ioperm", 173, 101},
             {"iopl", 172, 110},
             {"ipc", -1, 117},
             {"kcmp", 312, 349},
             {"kexec_file_load", 320, -1},
             {"kexec_load", 246, 283},
             {"keyctl", 250, 288},
             {"kill", 62, 37},
             {"lookup_dcookie", 212, 253},
             {"mbind", 237, 274},
             {"memfd_create", 319, 356},
             {"mknodat", 259, 297},
             {"mount", 165, 21},
             {"mount_setattr", 442, 442},
             {"move_mount", 429, 429},
             {"move_pages", 279, 317},
             {"name_to_handle_at", 303, 341},
             {"nfsservctl", 180, 169},
             {"open_by_handle_at", 304, 342},
             {"open_tree", 428, 428},
             {"openat", 257, 295},
             {"perf_event_open", 298, 336},
             {"pidfd_getfd", 438, 438},
             {"pidfd_open", 434, 434},
             {"pidfd_send_signal", 424, 424},
             {"pivot_root", 155, 217},
             {"prctl", 157, 172},
             {"process_madvise", 440, 440},
             {"process_vm_readv", 310, 347},
             {"ptrace", 101, 26},
             {"query_module", 178, 167},
             {"quotactl", 179, 131},
             {"quotactl_fd", 443, 443},
             {"read", 0, 3},
             {"reboot", 169, 88},
             {"recvmsg", 47, 372},
             {"request_key", 249, 287},
             {"seccomp", 317, 354},
             {"sendmsg", 46, 370},
             {"set_mempolicy", 238, 276},
             {"set_mempolicy_home_node", 450, 450},
             {"setdomainname", 171, 121},
             {"setgroups", 116, 81},
             {"sethostname", 170, 74},
             {"setns", 308, 346},
             {"setpriority", 141, 97},
             {"setresuid", 117, 164},
             {"settimeofday", 164, 79},
             {"setuid", 105, 23},
             {"setxattr", 188, 226},
             {"signalfd4", 289, 327},
             {"socket", 41, 359},
             {"socketcall", -1, 102},
             {"splice", 275, 313},
             {"statx", 332, 383},
             {"swapoff", 168, 115},
             {"swapon", 167, 87},
             {"sysfs", 139, 135},
             {"syslog", 103, 103},
             {"timerfd_create", 283, 322},
             {"umount2", 166, 52},
             {"unshare", 272, 310},
             {"uselib", 134, 86},
             {"userfaultfd", 323, 374},
             {"ustat", 136, 62},
             {"vhangup", 153, 111},
             {"vm86", -1, 166},
             {"vm86old", -1, 113},
             {"waitid", 247, 284}};

// Every argument is -1, which is no valid descriptor, address or flag.
static long make(const char* abi, long number) {
  if (strcmp(abi, "i386") == 0) return call_i386(number, -1, -1, -1, -1, -1);
  if (strcmp(abi, "x32") == 0) number |= 0x40000000;
  return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
}

// Makes the call in a child, because some calls end or change the process.
static void print_answer(const char* abi, const char* name, long number) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(5);
    const long result = make(abi, number);
    printf("%s %s\n", name, result == -1 ? error_name(errno) : "done");
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("%s signal %d\n", name, WTERMSIG(status));
}

long number_of_call(const char* abi, const char* name) {
  char* end;
  const long number = strtol(name, &end, 10);
  if (*end == '\0') return number;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (strcmp(calls[i].name, name) == 0) return strcmp(abi, "i386") == 0 ? calls[i].i386 : calls[i].x86_64;
  }
  fprintf(stderr, "no number is known of %s\n", name);
  exit(NOT_TRIED);
}

// answers x86_64|i386|x32 NAME|NUMBER...: prints a line for each, with the name of the error. Leaves out names that the
// architecture does not have.
static enum verdict answers(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which architecture?");
  for (char** name = arguments + 1; *name != NULL; name++) {
    const long number = number_of_call(arguments[0], *name);
    if (number != -1) print_answer(arguments[0], *name, number);
  }
  return SUCCEEDED;
}

const struct probe call_probes[] = {{"answers", "x86_64|i386|x32 NAME|NUMBER...", answers, 0}, {NULL, NULL, NULL, 0}};
