// Attacks on a sandbox, for the system tests. Each is a function that tries one thing and reports the result in one
// line.
#pragma once

#include <stddef.h>

// The result of a probe, which is also the program's exit status.
enum verdict { SUCCEEDED = 0, REFUSED = 1, NOT_TRIED = 2 };

struct probe {
  const char* name;
  const char* arguments;  // for the list
  enum verdict (*run)(char** arguments);
  int in_all;  // part of `attack all`: it needs no argument, and must not succeed in a sandbox
};

// Each table ends with a probe without a name.
extern const struct probe terminal_probes[];
extern const struct probe filter_probes[];
extern const struct probe call_probes[];
extern const struct probe kernel_probes[];
extern const struct probe file_probes[];
extern const struct probe mount_probes[];
extern const struct probe escape_probes[];
extern const struct probe process_probes[];
extern const struct probe ipc_probes[];
extern const struct probe inspect_probes[];
extern const struct probe stream_probes[];

// Each prints its line and returns its verdict. `refused` prints the name of the error first.
enum verdict succeeded(const char* format, ...) __attribute__((format(printf, 1, 2)));
enum verdict refused(int error, const char* format, ...) __attribute__((format(printf, 2, 3)));
enum verdict not_tried(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Judges a system call that has returned `result`. The call's arguments are bad on purpose; if the kernel looked at
// them, the call was let through. EPERM, EACCES, EROFS and ENOSYS are refusals.
enum verdict judge_call(long result, const char* what);
// Judges a call that must do its work to count as succeeded. Every error is a refusal.
enum verdict judge_result(long result, const char* what);

// Returns "EPERM" for 1. Errors without a name here are returned as a number. The next call overwrites the result.
const char* error_name(int error);

// Makes a system call as a 32-bit program does. Returns -1 and sets errno like syscall(2), to ENOEXEC if the kernel
// runs no such programs. Pointers must be below 4 GiB.
long call_i386(long number, long a, long b, long c, long d, long e);
// Returns the number of a system call, given by name or as text, or -1 if the architecture does not have it. A name
// that is not in our table ends the program.
long number_of_call(const char* abi, const char* name);
// Returns `size` zero bytes below 4 GiB, or ends the program.
void* low_memory(size_t size);
