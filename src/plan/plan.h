// RunPlan: all that a run will do, decided before anything is done: what --dry-run prints and tests compare.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "linux/signal_reset.h"
#include "plan/ids.h"
#include "request/request.h"
#include "seccomp/profile.h"
#include "share/root_mount.h"
#include "store/store.h"

namespace isolate {

struct RunPlan {
  std::string clone_id;  // also the host name
  std::string template_name;
  RootSource root;
  bool throw_away = true;  // nothing of the clone need ever reach the disk for good
  bool read_only_root = false;
  bool may_create_targets = true;  // false: a read-only run on a directory that changes nothing in it
  IdPlan ids;
  GroupsMode groups = GroupsMode::automatic;  // for an ordinary user's run
  std::string stage;                          // where the launcher puts the root together, in its own mount namespace
  std::vector<RootMount> mounts;
  std::string working_directory;
  CapabilitySet capabilities;
  SeccompChoice seccomp;
  std::vector<seccomp::Filter> filters;  // of that choice, in the order in which they are put on
  std::vector<ResourceLimit> limits;
  GroupLimits group_limits;
  bool own_group = false;          // the command leads a process group: there is no terminal whose foreground it shares
  bool own_terminal = false;       // and has a terminal of its own
  bool own_session = false;        // the caller's controlling terminal is not the guest's: /dev/tty does not open
  mode_t umask = 022;              // of the command and the hooks
  std::uint64_t memory_files = 0;  // bytes, 0: the kernel's default
  EnginePlan engine;
  // What an init of the root's own may do, where the engine boots one.
  struct System {
    CapabilitySet capabilities;
    std::vector<seccomp::Filter> filters;
  } system;
  std::vector<std::string> environment;
  std::vector<std::string> command;
  SignalState signals{};          // of the caller, which the command inherits
  std::vector<std::string> init;  // the command line of isolate-init
};

// Fills in what the request and the caller decide alone.
Result<void> begin_plan(const RunRequest& request, const Caller& caller, RunPlan* plan);
// The rest, for which clone_id, template_name, root, ids, umask and own_group must be there already.
Result<void> complete_plan(const RunRequest& request, const Caller& caller, RunPlan* plan);

// Capabilities the command gets: the engine's, less those dropped, with those added.
CapabilitySet planned_capabilities(const RunRequest& request);

// Whether the guest may have CAP_SYS_ADMIN: in the namespace that owns its mounts it could make read-only ones
// writable.
bool locks_mounts(const RunRequest& request);
// How many processes all of the guest may have together; kUnlimited.
std::uint64_t planned_process_limit(const RunRequest& request);

// What is weaker than a caller may think.
std::vector<std::string> warnings_of(const RunPlan& plan, const RunRequest& request);

// The plan in lines for people.
std::vector<std::string> describe(const RunPlan& plan, EngineKind engine);

}  // namespace isolate
