// Attacks on a sandbox, for the system tests: each is a function that tries one thing and says in one line how it went.
#pragma once

#include <stddef.h>

// What a probe returns, and what the program then exits with.
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

// The verdict over a system call that has returned `result`: a call that got as far as its arguments, which are bad on
// purpose, was let through. EPERM, EACCES, EROFS and ENOSYS are refusals.
enum verdict judge_call(long result, const char* what);
// The same over a call that must do its work to have succeeded: every error is a refusal.
enum verdict judge_result(long result, const char* what);

// "EPERM" for 1; numbers of errors without a name here are printed as they are. Overwritten by the next call.
const char* error_name(int error);

// A system call as a 32-bit program makes it. Returns -1 and sets errno like syscall(2), ENOEXEC where the kernel runs
// no such programs. Pointers must be below 4 GiB.
long call_i386(long number, long a, long b, long c, long d, long e);
// The number of a system call by its name or its number as text, -1 where the architecture has none. A name that is
// not in our table ends the program.
long number_of_call(const char* abi, const char* name);
// `size` bytes of zero below 4 GiB, or ends the program.
void* low_memory(size_t size);
