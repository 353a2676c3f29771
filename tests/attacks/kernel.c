// Calls that only the machine's administrator may make, and interfaces of the kernel in which faults are found most
// often. If a call would do harm outside a sandbox, its arguments make it fail after the check of rights.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include "attack.h"

// A call with wrong arguments. Any answer other than a refusal means that the kernel has looked at them.
#define PROBE_CALL(function, what, expression)     \
  static enum verdict function(char** arguments) { \
    (void)arguments;                               \
    return judge_call((expression), what);         \
  }
// A call that should work.
#define PROBE_RESULT(function, what, expression)   \
  static enum verdict function(char** arguments) { \
    (void)arguments;                               \
    return judge_result((expression), what);       \
  }

PROBE_CALL(reboot_machine, "reboot", syscall(SYS_reboot, 0, 0, 0, NULL))
PROBE_CALL(kexec, "kexec_load", syscall(SYS_kexec_load, 0L, 1L << 20, NULL, ~0xffff0000L))
PROBE_CALL(kexec_file, "kexec_file_load", syscall(SYS_kexec_file_load, -1L, -1L, 0L, NULL, ~0L))
PROBE_CALL(load_module, "init_module", syscall(SYS_init_module, NULL, 0L, ""))
PROBE_CALL(load_module_file, "finit_module", syscall(SYS_finit_module, -1L, "", 0L))
PROBE_CALL(unload_module, "delete_module", syscall(SYS_delete_module, "no_such_module_of_isolate", 0L))
PROBE_CALL(swap_on, "swapon", syscall(SYS_swapon, "/no/such/file", 0L))
PROBE_CALL(swap_off, "swapoff", syscall(SYS_swapoff, "/no/such/file"))
PROBE_CALL(accounting, "acct", syscall(SYS_acct, "/no/such/file"))
PROBE_CALL(quota, "quotactl", syscall(SYS_quotactl, 0x800007 << 8, "/no/such/file", 0L, NULL))
PROBE_RESULT(io_privilege, "iopl 3", iopl(3))
PROBE_RESULT(io_ports, "ioperm", ioperm(0x80, 1, 1))
PROBE_RESULT(kernel_log, "syslog", klogctl(3, low_memory(4096), 4096))
PROBE_RESULT(uffd, "userfaultfd", syscall(SYS_userfaultfd, (long)UFFD_USER_MODE_ONLY))
PROBE_RESULT(fanotify, "fanotify_init", syscall(SYS_fanotify_init, 0x200L, 0L))
PROBE_CALL(dcookie, "lookup_dcookie", syscall(SYS_lookup_dcookie, 1L, low_memory(64), 64L))
PROBE_CALL(key_add, "add_key", syscall(SYS_add_key, "user", "isolate-attack", "x", 1L, -2L))
PROBE_CALL(key_request, "request_key", syscall(SYS_request_key, "user", "isolate-attack", NULL, 0L))
PROBE_CALL(key_control, "keyctl", syscall(SYS_keyctl, 0L, -3L, 0L))
PROBE_CALL(pages_move, "move_pages", syscall(SYS_move_pages, -1L, 0L, NULL, NULL, NULL, 0L))
PROBE_RESULT(priority, "setpriority", setpriority(PRIO_PROCESS, 0, -20))
PROBE_RESULT(vsock, "socket AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0))
PROBE_RESULT(vsock_datagram, "socket AF_VSOCK SOCK_DGRAM", socket(AF_VSOCK, SOCK_DGRAM | SOCK_CLOEXEC, 0))

static enum verdict set_clock(char** arguments) {
  (void)arguments;
  const struct timezone impossible = {.tz_minuteswest = 10000};
  return judge_call(syscall(SYS_settimeofday, NULL, &impossible), "settimeofday");
}

static enum verdict adjust_clock(char** arguments) {
  (void)arguments;
  struct timex wanted = {.modes = ADJ_TICK, .tick = 1};
  return judge_call(syscall(SYS_adjtimex, &wanted), "adjtimex");
}

static enum verdict bpf_map(char** arguments) {
  (void)arguments;
  union bpf_attr map;
  memset(&map, 0, sizeof map);
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = map.value_size = 4;
  map.max_entries = 1;
  return judge_call(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map), "bpf");
}

static enum verdict perf(char** arguments) {
  (void)arguments;
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK};
  event.exclude_kernel = event.exclude_hv = 1;
  return judge_call(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0), "perf_event_open");
}

static enum verdict io_uring(char** arguments) {
  (void)arguments;
  return judge_call(syscall(SYS_io_uring_setup, 1L, low_memory(256)), "io_uring_setup");
}

static enum verdict real_time(char** arguments) {
  (void)arguments;
  const struct sched_param parameters = {.sched_priority = 1};
  return judge_result(sched_setscheduler(0, SCHED_FIFO, &parameters), "SCHED_FIFO");
}

static enum verdict host_limit(char** arguments) {
  (void)arguments;
  struct rlimit limit;
  getrlimit(RLIMIT_MSGQUEUE, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return not_tried("no limit");
  limit.rlim_max += 1 << 20;
  return judge_result(setrlimit(RLIMIT_MSGQUEUE, &limit), "a higher hard limit");
}

// AF_VSOCK belongs to no file system or network namespace. Tried through the entry for 32-bit programs as well.
static enum verdict vsock_i386(char** arguments) {
  (void)arguments;
  long* words = low_memory(16);
  ((int*)words)[0] = AF_VSOCK;
  ((int*)words)[1] = SOCK_STREAM;
  if (call_i386(359, AF_VSOCK, SOCK_STREAM, 0, 0, 0) >= 0) return succeeded("AF_VSOCK by socket of int 0x80");
  const int error = errno;
  if (call_i386(102, 1, (long)words, 0, 0, 0) >= 0) return succeeded("AF_VSOCK by socketcall of int 0x80");
  return refused(error, "AF_VSOCK by int 0x80");
}

const struct probe kernel_probes[] = {{"reboot", "", reboot_machine, 1},
                                      {"kexec", "", kexec, 1},
                                      {"kexec-file", "", kexec_file, 1},
                                      {"module", "", load_module, 1},
                                      {"module-file", "", load_module_file, 1},
                                      {"module-unload", "", unload_module, 1},
                                      {"swapon", "", swap_on, 1},
                                      {"swapoff", "", swap_off, 1},
                                      {"acct", "", accounting, 1},
                                      {"quota", "", quota, 1},
                                      {"iopl", "", io_privilege, 1},
                                      {"ioperm", "", io_ports, 1},
                                      {"syslog", "", kernel_log, 1},
                                      {"userfaultfd", "", uffd, 1},
                                      {"fanotify", "", fanotify, 1},
                                      {"dcookie", "", dcookie, 0},
                                      {"key-add", "", key_add, 1},
                                      {"key-request", "", key_request, 1},
                                      {"key-control", "", key_control, 1},
                                      {"move-pages", "", pages_move, 1},
                                      {"priority", "", priority, 1},
                                      {"vsock", "", vsock, 1},
                                      {"vsock-datagram", "", vsock_datagram, 1},
                                      {"vsock-i386", "", vsock_i386, 1},
                                      {"clock", "", set_clock, 1},
                                      {"clock-adjust", "", adjust_clock, 1},
                                      {"bpf", "", bpf_map, 1},
                                      {"perf", "", perf, 1},
                                      {"io-uring", "", io_uring, 1},
                                      {"real-time", "", real_time, 1},
                                      {"higher-limit", "", host_limit, 1},
                                      {NULL, NULL, NULL, 0}};
