// Files of the kernel and devices. They are opened for reading or writing, but never written to.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "attack.h"

// Opens the first file that can be opened for writing. The patterns are like the shell's, and the last one is NULL.
static enum verdict open_first(const char* const* patterns) {
  int error = ENOENT;
  for (; *patterns != NULL; patterns++) {
    glob_t found;
    if (glob(*patterns, 0, NULL, &found) != 0) continue;
    for (size_t i = 0; i < found.gl_pathc; i++) {
      const int fd = open(found.gl_pathv[i], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      if (fd != -1) return succeeded("%s can be written", found.gl_pathv[i]);
      error = errno;
    }
    globfree(&found);
  }
  return refused(error, "writing to them");
}

// write PATH...: opens one of the files for writing.
static enum verdict write_any(char** arguments) { return open_first((const char* const*)arguments); }

#define PROBE_WRITE(function, ...)                      \
  static enum verdict function(char** arguments) {      \
    (void)arguments;                                    \
    const char* const patterns[] = {__VA_ARGS__, NULL}; \
    return open_first(patterns);                        \
  }

PROBE_WRITE(core_pattern, "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/core_uses_pid")
PROBE_WRITE(helpers, "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug", "/proc/sys/kernel/usermodehelper/*",
            "/sys/kernel/uevent_helper", "/proc/sys/kernel/poweroff_cmd")
PROBE_WRITE(kernel_settings, "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/panic*",
            "/proc/sys/kernel/printk*", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/*restrict")
PROBE_WRITE(memory_settings, "/proc/sys/vm/*", "/sys/kernel/mm/*/enabled", "/sys/kernel/mm/ksm/run")
PROBE_WRITE(file_settings, "/proc/sys/fs/*", "/proc/sys/fs/binfmt_misc/*", "/proc/sys/fs/inotify/*",
            "/proc/sys/fs/epoll/*", "/proc/fs/*/*")
PROBE_WRITE(sysrq, "/proc/sysrq-trigger")
PROBE_WRITE(interrupts, "/proc/irq/*", "/proc/irq/*/smp_affinity", "/proc/irq/*/smp_affinity_list")
PROBE_WRITE(buses, "/proc/bus/*/*", "/proc/bus/*/*/*", "/proc/scsi/*", "/proc/acpi/*", "/proc/mtrr", "/proc/asound/*")
PROBE_WRITE(power, "/sys/power/*", "/sys/firmware/efi/efivars/*", "/sys/firmware/acpi/*")
PROBE_WRITE(cgroups, "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/*/cgroup.procs", "/sys/fs/cgroup/*/release_agent",
            "/sys/fs/cgroup/*/notify_on_release", "/sys/fs/cgroup/cgroup.subtree_control")
PROBE_WRITE(debugging, "/sys/kernel/debug/*", "/sys/kernel/tracing/*", "/sys/kernel/debug/tracing/*", "/sys/fs/bpf/*")
PROBE_WRITE(sysfs_devices, "/sys/devices/system/cpu/cpu*/online", "/sys/class/net/*/ifalias",
            "/sys/bus/*/drivers_probe", "/sys/module/*/parameters/*", "/sys/block/*/queue/*", "/sys/class/*/*/uevent")
PROBE_WRITE(init_program, "/proc/1/exe", "/proc/1/map_files/*")
PROBE_WRITE(device_files, "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kvm", "/dev/fuse", "/dev/loop*", "/dev/sd*",
            "/dev/vd*", "/dev/nvme*", "/dev/dm-*", "/dev/zfs", "/dev/btrfs-control", "/dev/net/tun", "/dev/vhost*",
            "/dev/vsock", "/dev/tty[0-9]*", "/dev/vcs*", "/dev/uinput", "/dev/input/*", "/dev/snd/*", "/dev/dri/*",
            "/dev/kmsg", "/dev/cpu/*/msr", "/dev/mapper/control", "/dev/userfaultfd")
PROBE_WRITE(init_memory_file, "/proc/1/mem")

// Reads the first file that has anything to read.
static enum verdict read_first(const char* const* patterns) {
  int error = ENOENT;
  for (; *patterns != NULL; patterns++) {
    glob_t found;
    if (glob(*patterns, 0, NULL, &found) != 0) continue;
    for (size_t i = 0; i < found.gl_pathc; i++) {
      char byte;
      const int fd = open(found.gl_pathv[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      if (fd == -1) {
        error = errno;
        continue;
      }
      const ssize_t size = read(fd, &byte, 1);
      if (size == 1) return succeeded("%s can be read", found.gl_pathv[i]);
      if (size == -1) error = errno;
      close(fd);
    }
    globfree(&found);
  }
  return refused(error, "reading them");
}

static enum verdict read_any(char** arguments) { return read_first((const char* const*)arguments); }

#define PROBE_READ(function, ...)                       \
  static enum verdict function(char** arguments) {      \
    (void)arguments;                                    \
    const char* const patterns[] = {__VA_ARGS__, NULL}; \
    return read_first(patterns);                        \
  }

PROBE_READ(kernel_memory, "/proc/kcore", "/proc/kmsg", "/dev/mem", "/dev/kmsg", "/dev/port", "/proc/kpage*")
PROBE_READ(kernel_tables, "/proc/vmallocinfo", "/proc/slabinfo", "/proc/timer_list", "/proc/sched_debug",
           "/proc/latency_stats", "/sys/kernel/debug/sched/debug", "/sys/kernel/slab/*/alloc_calls",
           "/sys/kernel/notes")
PROBE_READ(init_secrets, "/proc/1/environ", "/proc/1/maps", "/proc/1/mem", "/proc/1/auxv", "/proc/1/stack",
           "/proc/1/syscall", "/proc/1/io", "/proc/1/personality")

// Looks for a number in the files that is an address of the kernel. The kernel prints zeros for addresses that it
// hides.
static enum verdict addresses(const char* const* paths) {
  for (; *paths != NULL; paths++) {
    FILE* file = fopen(*paths, "re");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
      if (strspn(line, " 0-") < strspn(line, " 0123456789abcdef-")) {
        line[strcspn(line, "\n")] = '\0';
        return succeeded("%s: %s", *paths, line);
      }
    }
    if (file != NULL) fclose(file);
  }
  return refused(EPERM, "addresses of the kernel");
}

static enum verdict symbol_addresses(char** arguments) {
  (void)arguments;
  const char* const paths[] = {"/proc/kallsyms", "/proc/iomem", "/proc/ioports", NULL};
  return addresses(paths);
}

static enum verdict keys(char** arguments) {
  (void)arguments;
  FILE* file = fopen("/proc/keys", "re");
  char line[512];
  int own = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    // The session keyring made for the guest and the keyrings of its own ids are allowed.
    if (strstr(line, "keyring") == NULL) return succeeded("a key: %s", line);
    own++;
  }
  return refused(ENOKEY, "keys of others, beside %d keyrings", own);
}

// device NUMBERS...: makes a device node for each in /tmp and opens it: b:254:0 c:10:237.
static enum verdict device(char** arguments) {
  int error = ENOENT;
  char path[64];
  snprintf(path, sizeof path, "/tmp/node-%d", (int)getpid());
  for (; *arguments != NULL; arguments++) {
    unsigned major_number, minor_number;
    char kind;
    if (sscanf(*arguments, "%c:%u:%u", &kind, &major_number, &minor_number) != 3) return not_tried("%s", *arguments);
    const mode_t mode = (kind == 'b' ? S_IFBLK : S_IFCHR) | 0666;
    if (mknod(path, mode, makedev(major_number, minor_number)) == -1) {
      error = errno;
      continue;
    }
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    error = errno;
    unlink(path);
    if (fd != -1) return succeeded("opened a node of %s", *arguments);
  }
  return refused(error, "device nodes");
}

// Memory, the whole disks, loop-control, btrfs-control, fuse, the log, and /dev/zero, which every kernel has.
static enum verdict usual_devices(char** arguments) {
  (void)arguments;
  char* numbers[] = {"c:1:5",   "c:1:1",    "c:1:11",   "c:5:1",    "b:7:0",    "b:8:0",    "b:254:0",
                     "b:259:0", "c:10:237", "c:10:234", "c:10:229", "c:10:200", "c:10:232", NULL};
  return device(numbers);
}

// Calls fcntl(2) with a command, also as 32-bit programs do.
static enum verdict fcntl_on(const char* path, int command, long argument, const char* what) {
  if (path == NULL) return not_tried("which file?");
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return not_tried("%s: %s", path, error_name(errno));
  if (fcntl(fd, command, argument) == 0) return succeeded("%s", what);
  const int error = errno;
  if (call_i386(55, fd, command, argument, 0, 0) == 0) return succeeded("%s by int 0x80", what);
  if (call_i386(221, fd, command, argument, 0, 0) == 0) return succeeded("%s by fcntl64", what);
  return refused(error, "%s", what);
}

// file-lease FILE: makes others who open the file wait for 45 seconds.
static enum verdict file_lease(char** arguments) {
  return fcntl_on(arguments[0], F_SETLEASE, F_WRLCK, "a lease on the file");
}

// directory-events DIRECTORY: asks for a signal when a file of the directory is read.
static enum verdict directory_events(char** arguments) {
  return fcntl_on(arguments[0], F_NOTIFY, DN_ACCESS | DN_MULTISHOT, "events of the directory");
}

const struct probe file_probes[] = {{"write", "PATH...", write_any, 0},
                                    {"read", "PATH...", read_any, 0},
                                    {"device", "KIND:MAJOR:MINOR...", device, 0},
                                    {"core-pattern", "", core_pattern, 1},
                                    {"helpers", "", helpers, 1},
                                    {"kernel-settings", "", kernel_settings, 1},
                                    {"memory-settings", "", memory_settings, 1},
                                    {"file-settings", "", file_settings, 1},
                                    {"sysrq", "", sysrq, 1},
                                    {"interrupts", "", interrupts, 1},
                                    {"buses", "", buses, 1},
                                    {"power", "", power, 1},
                                    {"cgroups", "", cgroups, 1},
                                    {"debugging", "", debugging, 1},
                                    {"sysfs-devices", "", sysfs_devices, 1},
                                    {"init-program", "", init_program, 1},
                                    {"device-files", "", device_files, 1},
                                    {"init-memory-file", "", init_memory_file, 1},
                                    {"kernel-memory", "", kernel_memory, 1},
                                    {"kernel-tables", "", kernel_tables, 1},
                                    {"init-secrets", "", init_secrets, 1},
                                    {"kernel-addresses", "", symbol_addresses, 1},
                                    {"keys", "", keys, 1},
                                    {"file-lease", "FILE", file_lease, 0},
                                    {"directory-events", "DIRECTORY", directory_events, 0},
                                    {"device-nodes", "", usual_devices, 1},
                                    {NULL, NULL, NULL, 0}};
