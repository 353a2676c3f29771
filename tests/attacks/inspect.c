// Reads the seccomp filters of a process and prints what they would answer, also for 32-bit programs and other
// machines, which this kernel may not run. Needs root of the machine (PTRACE_SECCOMP_GET_FILTER, Linux 4.4).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

enum { MOST = 32768 };

static uint32_t operate(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_ADD:
      return a + operand;
    case BPF_SUB:
      return a - operand;
    case BPF_AND:
      return a & operand;
    case BPF_OR:
      return a | operand;
    case BPF_LSH:
      return a << operand;
    case BPF_RSH:
      return a >> operand;
  }
  abort();
}

static int jumps(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    case BPF_JSET:
      return (a & operand) != 0;
  }
  abort();
}

// Runs a filter as the kernel would. An instruction that none of our filters uses ends the program.
static uint32_t run_filter(const struct sock_filter* code, const struct seccomp_data* data) {
  uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
  for (;; code++) {
    const uint32_t operand = BPF_SRC(code->code) == BPF_X ? x : code->k;
    switch (BPF_CLASS(code->code)) {
      case BPF_LD:
        if (BPF_MODE(code->code) == BPF_ABS) {
          memcpy(&a, (const char*)data + code->k, sizeof a);
        } else {
          a = BPF_MODE(code->code) == BPF_MEM ? memory[code->k] : code->k;
        }
        break;
      case BPF_LDX:
        x = BPF_MODE(code->code) == BPF_MEM ? memory[code->k] : code->k;
        break;
      case BPF_ST:
        memory[code->k] = a;
        break;
      case BPF_ALU:
        a = operate(code->code, a, operand);
        break;
      case BPF_JMP:
        if (BPF_OP(code->code) == BPF_JA) {
          code += code->k;
        } else {
          code += jumps(code->code, a, operand) ? code->jt : code->jf;
        }
        break;
      case BPF_MISC:
        if (BPF_MISCOP(code->code) == BPF_TAX) {
          x = a;
        } else {
          a = x;
        }
        break;
      case BPF_RET:
        return BPF_RVAL(code->code) == BPF_A ? a : code->k;
      default:
        abort();
    }
  }
}

// All filters of a process; the last one has no code.
static struct { struct sock_filter* code; } filters[32];

static int read_filters(pid_t process) {
  int count = 0;
  if (ptrace(PTRACE_SEIZE, process, NULL, NULL) == -1 || ptrace(PTRACE_INTERRUPT, process, NULL, NULL) == -1) return -1;
  waitpid(process, NULL, __WALL);
  for (; count < 31; count++) {
    struct sock_filter* code = calloc(MOST, sizeof *code);
    if (ptrace(PTRACE_SECCOMP_GET_FILTER, process, (void*)(long)count, code) == -1) break;
    filters[count].code = code;
  }
  const int error = errno;
  ptrace(PTRACE_DETACH, process, NULL, NULL);
  // ENOENT: there is no filter with that number. EINVAL: there is none at all.
  if (error != ENOENT && error != EINVAL) {
    errno = error;
    return -1;
  }
  return count;
}

static const char* action_name(uint32_t action) {
  switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_PROCESS:
      return "kill-process";
    case SECCOMP_RET_KILL_THREAD:
      return "kill-thread";
    case SECCOMP_RET_TRAP:
      return "trap";
    case SECCOMP_RET_ERRNO:
      return error_name((int)(action & SECCOMP_RET_DATA));
    case SECCOMP_RET_USER_NOTIF:
      return "listener";
    case SECCOMP_RET_TRACE:
      return "trace";
    case SECCOMP_RET_LOG:
      return "log";
    case SECCOMP_RET_ALLOW:
      return "allow";
  }
  return "unknown";
}

// Returns the strictest answer of all filters, which the kernel follows.
static uint32_t answer_of(const struct seccomp_data* data) {
  uint32_t strictest = SECCOMP_RET_ALLOW;
  for (int i = 0; filters[i].code != NULL; i++) {
    const uint32_t action = run_filter(filters[i].code, data);
    if ((int32_t)(action & SECCOMP_RET_ACTION_FULL) < (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
      strictest = action;
  }
  return strictest;
}

static uint32_t architecture_of(const char* name) {
  if (strcmp(name, "x86_64") == 0 || strcmp(name, "x32") == 0) return AUDIT_ARCH_X86_64;
  if (strcmp(name, "i386") == 0) return AUDIT_ARCH_I386;
  if (strcmp(name, "aarch64") == 0) return AUDIT_ARCH_AARCH64;
  if (strcmp(name, "arm") == 0) return AUDIT_ARCH_ARM;
  if (strcmp(name, "mips64n32") == 0) return AUDIT_ARCH_MIPS64N32;
  return 0;
}

static int prepare(const char* process, struct seccomp_data* data, const char* architecture) {
  memset(data, 0, sizeof *data);
  data->arch = architecture_of(architecture);
  return read_filters(atoi(process));
}

// filter PID ARCHITECTURE NUMBER [ARGUMENT...]: prints only the answer. PID is a process of the host.
static enum verdict filter(char** arguments) {
  struct seccomp_data data;
  if (arguments[0] == NULL || arguments[1] == NULL || arguments[2] == NULL) return not_tried("three arguments");
  const int count = prepare(arguments[0], &data, arguments[1]);
  if (count == -1) return not_tried("no filters can be read: %s", error_name(errno));
  data.nr = (int)strtoul(arguments[2], NULL, 0);
  if (strcmp(arguments[1], "x32") == 0) data.nr |= 0x40000000;
  for (int i = 0; i < 6 && arguments[3 + i] != NULL; i++) data.args[i] = strtoull(arguments[3 + i], NULL, 0);
  printf("%s\n", action_name(answer_of(&data)));
  return SUCCEEDED;
}

// filter-check PID: reads lines "EXPECTED ARCHITECTURE NUMBER [ARGUMENT...]", in which EXPECTED is one answer or
// several separated by |. Prints the lines with a different answer.
static enum verdict filter_check(char** arguments) {
  struct seccomp_data data;
  char line[256], expected[64], architecture[16], values[6][32];
  int wrong = 0, lines = 0;
  if (arguments[0] == NULL) return not_tried("which process?");
  if (prepare(arguments[0], &data, "x86_64") == -1) return not_tried("no filters: %s", error_name(errno));
  while (fgets(line, sizeof line, stdin) != NULL) {
    char number[32];
    memset(values, 0, sizeof values);
    if (sscanf(line, "%62s %15s %31s %31s %31s %31s %31s", expected, architecture, number, values[0], values[1],
               values[2], values[3]) < 3) {
      return not_tried("not a line: %s", line);
    }
    data.arch = architecture_of(architecture);
    data.nr = (int)strtoul(number, NULL, 0);
    if (strcmp(architecture, "x32") == 0) data.nr |= 0x40000000;
    for (int i = 0; i < 6; i++) data.args[i] = strtoull(values[i], NULL, 0);
    const char* answer = action_name(answer_of(&data));
    int found = 0;
    for (char* word = strtok(expected, "|"); word != NULL; word = strtok(NULL, "|")) found |= strcmp(word, answer) == 0;
    lines++;
    if (found) continue;
    printf("%s for %s", answer, line);
    wrong++;
  }
  if (wrong > 0 || lines == 0) return succeeded("%d of %d answers are wrong", wrong, lines);
  return refused(0, "%d answers as expected", lines);
}

// filter-answers PID ARCHITECTURE NAME...: like `answers`, prints a line for each call, with every argument -1.
static enum verdict filter_answers(char** arguments) {
  struct seccomp_data data;
  if (arguments[0] == NULL || arguments[1] == NULL) return not_tried("two arguments");
  const int count = prepare(arguments[0], &data, arguments[1]);
  if (count == -1) return not_tried("no filters can be read: %s", error_name(errno));
  for (char** name = arguments + 2; *name != NULL; name++) {
    const long number = number_of_call(arguments[1], *name);
    if (number == -1) continue;
    data.nr = (int)number;
    for (int i = 0; i < 6; i++) data.args[i] = strcmp(arguments[1], "i386") == 0 ? UINT32_MAX : UINT64_MAX;
    printf("%s %s\n", *name, action_name(answer_of(&data)));
  }
  return SUCCEEDED;
}

// filter-count PID: prints the number of filters.
static enum verdict filter_count(char** arguments) {
  if (arguments[0] == NULL) return not_tried("which process?");
  const int count = read_filters(atoi(arguments[0]));
  if (count == -1) return not_tried("no filters can be read: %s", error_name(errno));
  printf("%d\n", count);
  return SUCCEEDED;
}

const struct probe inspect_probes[] = {{"filter", "PID ARCHITECTURE NUMBER [ARGUMENT...]", filter, 0},
                                       {"filter-check", "PID", filter_check, 0},
                                       {"filter-answers", "PID ARCHITECTURE NAME...", filter_answers, 0},
                                       {"filter-count", "PID", filter_count, 0},
                                       {NULL, NULL, NULL, 0}};
