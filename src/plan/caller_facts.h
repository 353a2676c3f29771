// Facts of the calling process and of its machine that the plan depends on, looked up before the plan is made.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "limits/limit_group.h"
#include "linux/caller.h"
#include "linux/signal_reset.h"
#include "plan/available_ids.h"
#include "request/request.h"
#include "seccomp/profile.h"

namespace isolate {

struct CallerFacts {
  Caller caller;
  AvailableIds ids;  // empty where the daemon has decided the maps
  HardLimits hard_limits;
  SignalState signals{};
  mode_t umask = 022;
  unsigned standard_terminals = 0;  // how many of descriptors 0 to 2 are terminals
  bool has_controlling_terminal = false;
  std::optional<std::string> term;       // $TERM
  std::string engine_program;            // its path, where it is a program of the host's
  std::vector<std::string> key_files;    // those of /proc that list keys
  SeccompChoice seccomp;                 // the request's choice, or what the engine and the environment make of it
  std::vector<seccomp::Filter> filters;  // of that choice, in the order in which they are applied
  std::vector<seccomp::Filter> system_filters;  // for an init of the root's own
  GroupLimits group_limits;                     // of the guest as a whole, as far as they are available
  std::string control_group;                    // where the group with these limits will be, for people; empty: nowhere
};

// All but ids, limits of the group and terminal. Compiles the filters, or finds them in the cache. Errors: a seccomp
// profile can't be read; the engine is not installed.
Result<CallerFacts> look_up_facts(const RunRequest& request, const Caller& caller, mode_t umask);

}  // namespace isolate
