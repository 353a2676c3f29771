// CallerFacts: what the plan has to know about the calling process and the machine. It is looked up before the plan is
// made.
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
#include "share/share.h"

namespace isolate {

struct CallerFacts {
  Caller caller;
  AvailableIds ids;  // empty if the daemon has decided the maps
  HardLimits hard_limits;
  SignalState signals{};
  mode_t umask = 022;
  unsigned standard_terminals = 0;  // how many of descriptors 0 to 2 are terminals
  bool has_controlling_terminal = false;
  std::optional<std::string> term;     // $TERM
  std::string engine_program;          // the path of the engine's program on the host; empty: the engine has none there
  std::vector<std::string> key_files;  // the files of /proc that list keys
  bool may_change_machine = false;     // by writing to files of /proc
  SeccompChoice seccomp;               // the request's choice; if it has none, the one of the environment or engine
  std::vector<seccomp::Filter> filters;         // of that choice, in the order in which they are applied
  std::vector<seccomp::Filter> system_filters;  // for the root's own init
  SharePlan shares;                             // what the user asked for by options such as --x11
  GroupLimits group_limits;                     // the available limits of the guest as a whole
  std::string control_group;                    // describes for people where the limits' group will be; empty: no group
};

// Looks up everything except the ids, the group's limits, and whether there is a controlling terminal. Compiles the
// filters, or finds them in the cache. Errors: a seccomp profile can't be read; the engine is not
// installed; what a share needs is missing.
Result<CallerFacts> look_up_facts(const RunRequest& request, const Caller& caller, mode_t umask);

}  // namespace isolate
