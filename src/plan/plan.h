// RunPlan: everything that a run will do, decided before isolate does any of it. It is plain data, so that --dry-run
// can print it and tests can compare it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "acquire/acquired_root.h"
#include "engine/engine.h"
#include "linux/signal_reset.h"
#include "plan/caller_facts.h"
#include "plan/ids.h"
#include "request/request.h"
#include "seccomp/profile.h"
#include "share/root_mount.h"
#include "share/share.h"
#include "store/store.h"

namespace isolate {

// How the first process of the guest's pid namespace comes to be.
enum class EngineStart {
  replaces_launcher,  // the launcher was born in that namespace, and executes the engine's program
  is_child,           // the launcher makes a process in it, which executes the program
  enters_root,        // there is no program: that process enters the root itself and becomes isolate-init
};

struct RunPlan {
  std::string clone_id;  // also the host name
  std::string template_name;
  RootSource root;
  bool throw_away = true;  // the clone is removed after the run, so its data need not reach the disk
  bool read_only_root = false;
  bool may_create_targets = true;  // false: a read-only run on a directory, in which not even mount points are made
  IdPlan ids;
  GroupsMode groups = GroupsMode::automatic;  // of an ordinary user
  std::string stage;                          // where the launcher puts the root together, in its own mount namespace
  std::vector<RootMount> mounts;
  std::string working_directory;
  std::optional<GuestUser> user;  // as whom the command runs; nothing: the guest's root
  CapabilitySet capabilities;     // of the command; with a `user` that is not root only its bounding set
  SeccompChoice seccomp;
  std::vector<seccomp::Filter> filters;  // of that choice, in the order in which they are applied
  std::vector<ResourceLimit> limits;
  GroupLimits group_limits;
  std::string control_group;       // describes for people where the limits' group will be; empty: no group
  bool waits = false;              // isolate-init waits for a run that takes the guest, and that run brings the command
  bool own_group = false;          // the command leads a process group of its own
  bool own_terminal = false;       // the guest has a terminal of its own (--pty)
  bool own_session = false;        // the guest can't open the caller's terminal as /dev/tty
  mode_t umask = 022;              // of the command and the hooks
  std::uint64_t memory_files = 0;  // bytes for files in memory; 0: the kernel's default
  EngineKind engine_kind = EngineKind::bwrap;
  EnginePlan engine;
  EngineStart start = EngineStart::replaces_launcher;
  // The rights of the root's own init, if the engine boots one.
  struct System {
    CapabilitySet capabilities;
    std::vector<seccomp::Filter> filters;
  } system;
  std::vector<std::string> environment;
  std::vector<std::string> command;
  SignalState signals{};              // the caller's ignored and blocked signals, which the command inherits
  std::vector<std::string> init;      // the command line of isolate-init
  std::vector<std::string> warnings;  // lines for the caller about protection that is weaker than usual
};

// Makes the whole plan from its arguments alone: it looks up nothing and changes nothing.
// Errors: plain text: options that exclude each other; a limit or a range that the caller may not have.
Result<RunPlan> make_plan(const RunRequest& request, const AcquiredRoot& root, const CallerFacts& facts);

// Whether the command runs in a user namespace of its own, as another user than the guest's root.
bool has_own_user(const RunPlan& plan);

// Whether the command's processes belong to the caller on the host.
bool guest_is_caller(const RunPlan& plan, const Caller& caller);

// Lines about protection that is weaker than the caller may expect.
std::vector<std::string> warnings_of(const RunPlan& plan, const RunRequest& request);

// The plan in lines for people.
std::vector<std::string> describe(const RunPlan& plan);

}  // namespace isolate
