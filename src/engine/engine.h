// An engine confines: it gets a finished root and starts the command in it. What it will do is plain data.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "linux/capability.h"

namespace isolate {

// What every engine is told.
struct EngineRequest {
  std::string program;  // the path of the engine's program, as find_bwrap() finds it
  std::string root;     // path of the finished root, as the launcher's mount namespace shows it
  std::string host_name;
  bool share_network = false;
  std::string bridge;    // with share_network: a container is connected with this one instead; empty: no
  bool lasting = false;  // what is written stays: a system is shut down in order
  std::vector<std::string> covered_files;  // of /proc, which the guest is not to read
  bool keeps_log = false;                  // the engine tells in a file of its own what it does
  CapabilitySet capabilities;
  std::vector<std::string> init;  // the command line of isolate-init, which finds the command in its setup
};

struct EnginePlan {
  // The program that confines, with all its arguments. Empty: the launcher enters the root itself, in a new pid
  // namespace.
  std::vector<std::string> program;
  std::string own_program;  // one of isolate's own programs, which is executed in place of program[0]; empty: none
  bool no_new_privileges = false;  // set by the launcher before the engine starts
  bool own_network = false;      // the launcher gives it a network namespace; otherwise it has the host's, or makes one
  std::string bridge;            // it wants a connection with this one; empty: none
  bool ends_in_order = false;    // it has work to do when the command has ended, and then ends by itself
  bool looks_into_proc = false;  // it needs a /proc that shows its own pid namespace
};

// Where bubblewrap is. Errors: it is not installed, with what to do.
Result<std::string> find_bwrap();
// Errors: LXC is not installed, with what to do.
Result<void> check_lxc();

// bubblewrap: every namespace but the user namespace, which the launcher has made.
EnginePlan plan_bwrap(const EngineRequest& request);
// LXC, through isolate-lxc: an application container on the finished root.
EnginePlan plan_lxc(const EngineRequest& request);
// The plain root in a mount and a pid namespace: for maintaining templates, not a boundary.
EnginePlan plan_chroot(const EngineRequest& request);

// What the engine gives a command where nothing else is asked for.
CapabilitySet bwrap_capabilities();
CapabilitySet lxc_capabilities();
CapabilitySet lxc_system_capabilities();  // of a system's init; all are within the run's user namespace
CapabilitySet chroot_capabilities();

}  // namespace isolate
