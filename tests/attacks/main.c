// attack NAME [ARGUMENT...]: tries one attack. Exit status: 0 it succeeded, 1 it was refused, 2 it could not be tried.
// attack all: tries each attack that needs no argument, and prints those that were let through, and their number.
// attack list: prints the names.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

static const struct probe* const tables[] = {terminal_probes, filter_probes,  call_probes,   kernel_probes,
                                             file_probes,     mount_probes,   escape_probes, process_probes,
                                             ipc_probes,      inspect_probes, stream_probes};
enum { TABLES = sizeof tables / sizeof *tables };

static enum verdict list(void) {
  for (int i = 0; i < TABLES; i++)
    for (const struct probe* probe = tables[i]; probe->name != NULL; probe++)
      printf("%s%s%s%s\n", probe->name, *probe->arguments ? " " : "", probe->arguments, probe->in_all ? " (all)" : "");
  return SUCCEEDED;
}

static const struct probe* find(const char* name) {
  for (int i = 0; i < TABLES; i++)
    for (const struct probe* probe = tables[i]; probe->name != NULL; probe++)
      if (strcmp(probe->name, name) == 0) return probe;
  return NULL;
}

// Runs the probe in a child, so that a signal or an endless wait ends only this probe.
static enum verdict in_child(const struct probe* probe) {
  char* none[] = {NULL};
  fflush(stdout);
  const pid_t child = fork();
  if (child == -1) return not_tried("%s: no process", probe->name);
  if (child == 0) {
    alarm(10);
    printf("%s: ", probe->name);
    const enum verdict verdict = probe->run(none);
    fflush(stdout);
    _exit(verdict);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    printf("%s: refused: ended by signal %d\n", probe->name, WTERMSIG(status));
    return REFUSED;
  }
  return WEXITSTATUS(status);
}

static enum verdict all(void) {
  int tried = 0, let_through = 0, count = 0;
  for (int i = 0; i < TABLES; i++) {
    for (const struct probe* probe = tables[i]; probe->name != NULL; probe++) {
      if (!probe->in_all) continue;
      const enum verdict verdict = in_child(probe);
      count++;
      tried += verdict != NOT_TRIED;
      let_through += verdict == SUCCEEDED;
    }
  }
  printf("let through: %d of %d tried, %d in all\n", let_through, tried, count);
  return let_through > 0 ? SUCCEEDED : REFUSED;
}

int main(int count, char** arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: attack NAME [ARGUMENT...] | all | list\n");
    return NOT_TRIED;
  }
  signal(SIGTTOU, SIG_IGN);
  if (strcmp(arguments[1], "list") == 0) return list();
  if (strcmp(arguments[1], "all") == 0) return all();
  const struct probe* probe = find(arguments[1]);
  if (probe == NULL) return not_tried("no attack of the name %s", arguments[1]);
  const enum verdict verdict = probe->run(arguments + 2);
  fflush(stdout);
  return verdict;
}
