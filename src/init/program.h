// Finds the program that a command names, and executes it.
#pragma once

namespace isolate::init {

// Executes arguments[0], which is looked for in PATH unless it holds a slash, and returns only if that fails: errno, or
// ELIBACC when the file is there and its interpreter is missing. A text file without "#!" is a script for /bin/sh, as
// it is for a shell and for execvp(3) of glibc; that of musl has no such rule. arguments[-1] must be writable, for the
// shell's name.
int execute(char** arguments);

}  // namespace isolate::init
