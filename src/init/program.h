// Finds the program that a command names, and executes it.
#pragma once

namespace isolate::init {

// Executes arguments[0], which is searched in PATH unless it contains a slash. Returns only if that fails: errno, or
// ELIBACC if the file exists but its interpreter is missing. A text file without "#!" is executed by /bin/sh, as a
// shell and glibc's execvp(3) do; musl's execvp does not. arguments[-1] must be writable, because the shell's name goes
// there.
int execute(char** arguments);

}  // namespace isolate::init
