// An engine confines a guest: it gets a finished root and starts isolate-init in it. The functions here only plan; the
// plan is plain data, and the launcher carries it out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "linux/capability.h"

namespace isolate {

// The part of a run that an engine has to know.
struct EngineRequest {
  std::string program;  // the path of the engine's program, as find_bwrap() finds it
  std::string root;     // path of the finished root in the launcher's mount namespace
  std::string host_name;
  bool share_network = false;
  std::string bridge;    // with share_network: connect a container to this bridge; empty: it has the host's network
  bool lasting = false;  // changes to the root stay, so a system that was booted has to be shut down in order
  std::vector<std::string> covered_files;  // files of /proc that the guest must not read
  bool shares_settings = false;            // the kernel would let the guest change the machine through /proc
  bool keeps_log = false;                  // have the engine write a log (lxc only)
  CapabilitySet capabilities;
  std::vector<std::string> init;  // the command line of isolate-init; the command itself is in isolate-init's setup
};

// How the launcher confines the guest itself, for an engine without a program.
struct OwnConfinement {
  std::uint64_t namespaces = 0;  // CLONE_NEW* of clone(2), besides those that the launcher makes for every engine
  std::string host_name;         // empty: the host's
  std::vector<std::string> covered_files;  // files of /proc that the guest must not read
  bool no_setuid = false;                  // set-user-ID bits and file capabilities in the root do nothing
  bool closes_settings = false;            // a guest with the id of the host's root can't change the machine in /proc
};

struct EnginePlan {
  // The program that confines, with all its arguments. If it is empty, the launcher enters the root itself.
  std::vector<std::string> program;
  OwnConfinement own;       // for an engine without a program
  std::string own_program;  // a program of isolate that the launcher executes in place of program[0]; empty: none
  bool no_new_privileges = false;  // the launcher sets no_new_privs (prctl(2)) before the engine starts
  // The launcher makes a network namespace. Otherwise the engine stays in the host's or makes one itself.
  bool own_network = false;
  std::string bridge;            // a bridge that isolate has to connect the guest to; empty: none
  bool ends_in_order = false;    // the engine shuts a system down after the command and then ends by itself
  bool looks_into_proc = false;  // the engine needs a /proc that shows its own pid namespace
};

// The path of bubblewrap. Errors: it is not installed, with what to do.
Result<std::string> find_bwrap();
// Errors: LXC is not installed, with what to do.
Result<void> check_lxc();

// bubblewrap (bwrap(1)). It makes the mount, pid, IPC, UTS and cgroup namespaces; the launcher has made the user and
// network namespaces.
EnginePlan plan_bwrap(const EngineRequest& request);
// LXC, through isolate's program isolate-lxc, which makes a container on the finished root.
EnginePlan plan_lxc(const EngineRequest& request);
// isolate's own engine: the launcher makes all namespaces and enters the root, so that no program stands between
// isolate and isolate-init.
EnginePlan plan_native(const EngineRequest& request);
// The root in a mount and a pid namespace and nothing else. This is for maintaining templates and is not a security
// boundary.
EnginePlan plan_chroot(const EngineRequest& request);

// The capabilities that each engine gives a command by default. They count inside the run's user namespace.
CapabilitySet bwrap_capabilities();
CapabilitySet native_capabilities();
CapabilitySet lxc_capabilities();
CapabilitySet lxc_system_capabilities();  // for the init of a system that the lxc engine boots
CapabilitySet chroot_capabilities();

}  // namespace isolate
