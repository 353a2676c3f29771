#include "init/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace isolate::init {
namespace {

bool is_file(const char* path, int mode) {
  struct stat status = {};
  return ::stat(path, &status) == 0 && S_ISREG(status.st_mode) && ::access(path, mode) == 0;
}

// Finds the file that `command` names, directly or in a directory of PATH. `mode` is for access(2), F_OK or X_OK.
// Returns false if there is no such regular file.
bool find(const char* command, int mode, char (&found)[PATH_MAX]) {
  if (strchr(command, '/') != nullptr) {
    const size_t size = strlen(command) + 1;
    if (size > sizeof found) return false;
    memcpy(found, command, size);
    return is_file(found, mode);
  }
  const char* path = getenv("PATH");
  for (const char* start = path; start != nullptr && *start != 0;) {
    const char* end = strchrnul(start, ':');
    const auto length = static_cast<size_t>(end - start);
    if (length + strlen(command) + 2 <= sizeof found) {
      memcpy(found, start, length);
      found[length] = '/';
      memcpy(found + length + 1, command, strlen(command) + 1);
      if (is_file(found, mode)) return true;
    }
    start = *end == 0 ? end : end + 1;
  }
  return false;
}

// Shells tell a script from a program for another machine in the same way: a script has no NUL byte in its first line.
bool is_text(const char* path) {
  char beginning[256];
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t length = ::read(file, beginning, sizeof beginning);
  ::close(file);
  if (length < 0) return false;
  const auto* line_end = static_cast<const char*>(memchr(beginning, '\n', static_cast<size_t>(length)));
  const auto line = line_end == nullptr ? static_cast<size_t>(length) : static_cast<size_t>(line_end - beginning);
  return memchr(beginning, 0, line) == nullptr;
}

// Executes the script with /bin/sh. Returns only if that fails. It then restores the arguments, because the caller may
// share this memory with its parent (vfork(2)).
void execute_with_shell(char** arguments, char* script) {
  static char shell[] = "/bin/sh";
  char** with_shell = arguments - 1;
  char* const before[] = {with_shell[0], with_shell[1]};
  with_shell[0] = shell;
  with_shell[1] = script;
  ::execv(shell, with_shell);
  with_shell[0] = before[0];
  with_shell[1] = before[1];
}

}  // namespace

int execute(char** arguments) {
  char found[PATH_MAX];
  ::execvp(arguments[0], arguments);
  const int error = errno;
  if (error == ENOENT && find(arguments[0], F_OK, found)) return ELIBACC;
  if (error == ENOEXEC && find(arguments[0], X_OK, found) && is_text(found)) execute_with_shell(arguments, found);
  return error;
}

}  // namespace isolate::init
