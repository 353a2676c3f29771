// A library for LD_PRELOAD: writes the name of each program that loads it to the file that LOADED_FILE names.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
  const char* path = getenv("LOADED_FILE");
  if (path == NULL) return;
  const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file != -1) dprintf(file, "%s\n", program_invocation_name);
}
