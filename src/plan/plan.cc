#include "plan/plan.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/terminal.h"
#include "plan/filters.h"
#include "request/store_path.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

// A container's network is its own then.
bool is_bridged(const RunRequest& request) {
  return request.engine == EngineKind::lxc && request.share_network && !request.lxc.bridge.empty();
}

std::vector<RootMount> plan_mounts(const RunRequest& request) {
  std::vector<RootMount> mounts;
  const bool is_chroot = request.engine == EngineKind::chroot;
  mounts.push_back({MountKind::devices, "/dev", "", false});
  if (is_chroot) {
    mounts.push_back({MountKind::sys, "/sys", "/sys", false});
  } else {
    // For a root with an init LXC mounts a /sys of its own over this.
    mounts.push_back({MountKind::processors, "/sys", "", true});
  }
  mounts.push_back({MountKind::tmpfs, "/tmp", "", false, 01777});
  if (request.empty_home) mounts.push_back({MountKind::tmpfs, "/home", "", false, 0755});
  const bool has_host_network = (request.share_network && !is_bridged(request)) || is_chroot;
  if (has_host_network) mounts.push_back({MountKind::resolv_conf, "/etc/resolv.conf", "/etc/resolv.conf", true});
  // Who maintains a root changes its own file.
  if (!request.lasting && !(is_chroot && !request.directory.empty())) {
    // Where the root's files stay after the run, the file that goes with the run takes no changes, so that none is
    // lost.
    const bool stays = request.keep || !request.directory.empty();
    mounts.push_back({MountKind::hosts, "/etc/hosts", has_host_network ? "/etc/hosts" : "", stays});
  }
  if (request.engine == EngineKind::lxc && request.lxc.map_tun) {
    mounts.push_back({MountKind::tun, "/dev/net/tun", "/dev/net/tun", false});
  }
  for (const auto& bind : request.binds) mounts.push_back({MountKind::bind, bind.target, bind.source, bind.read_only});
  return mounts;
}

// All that the command sees of the caller's environment is TERM.
std::vector<std::string> plan_environment(const RunRequest& request) {
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "HOME=/root",
                                          "USER=root",
                                          "LOGNAME=root",
                                          "SHELL=/bin/sh",
                                          "LANG=C.UTF-8",
                                          "container=isolate"};
  if (const char* term = std::getenv("TERM")) environment.push_back(std::string("TERM=") + term);
  for (const auto& variable : request.environment) {
    const auto name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(environment, [&name](const std::string& other) { return other.starts_with(name); });
    environment.push_back(variable);
  }
  return environment;
}

}  // namespace

namespace {

CapabilitySet engine_capabilities(EngineKind engine) {
  switch (engine) {
    case EngineKind::bwrap:
      return bwrap_capabilities();
    case EngineKind::lxc:
      return lxc_capabilities();
    case EngineKind::chroot:
      break;
  }
  return chroot_capabilities();
}

Result<EnginePlan> plan_engine(EngineKind engine, const EngineRequest& request) {
  switch (engine) {
    case EngineKind::bwrap:
      return plan_bwrap(request);
    case EngineKind::lxc:
      return plan_lxc(request);
    case EngineKind::chroot:
      break;
  }
  return plan_chroot(request);
}

std::vector<ResourceLimit> planned_limits(const RunRequest& request) {
  const bool isolates = request.engine != EngineKind::chroot;
  return with_limits(isolates ? default_limits() : std::vector<ResourceLimit>{}, request.limits);
}

}  // namespace

CapabilitySet planned_capabilities(const RunRequest& request) {
  auto capabilities = engine_capabilities(request.engine);
  capabilities.drop(request.dropped_capabilities);
  capabilities.add(request.added_capabilities);
  return capabilities;
}

bool locks_mounts(const RunRequest& request) {
  if (request.engine == EngineKind::chroot) return false;
  return planned_capabilities(request).has(CAP_SYS_ADMIN) ||
         (request.engine == EngineKind::lxc && lxc_system_capabilities().has(CAP_SYS_ADMIN));
}

std::uint64_t planned_process_limit(const RunRequest& request) {
  return limit_of(planned_limits(request), RLIMIT_NPROC);
}

namespace {

Result<void> plan_limits(const RunRequest& request, const Caller& caller, RunPlan* plan) {
  TRY_VOID(check_reachable(request.limits));
  plan->limits = planned_limits(request);
  if (request.engine == EngineKind::chroot && caller.is_root() && limit_of(plan->limits, RLIMIT_NPROC) != kUnlimited) {
    return fail("ulimit nproc does not hold for root itself, which the command is with the chroot engine");
  }
  return {};
}

}  // namespace

Result<void> begin_plan(const RunRequest& request, const Caller& caller, RunPlan* plan) {
  plan->throw_away = !request.keep && !request.lasting;
  plan->read_only_root = request.read_only;
  plan->may_create_targets = !request.read_only || request.directory.empty();
  // An ordinary user's directories may be closed to the ids inside; /tmp never is, and its own contents are opened
  // before.
  plan->stage = caller.is_root() ? "/run/isolate/stage" : "/tmp";
  plan->mounts = plan_mounts(request);
  plan->working_directory = request.working_directory;
  plan->capabilities = planned_capabilities(request);
  TRY_VOID(plan_limits(request, caller, plan));
  plan->seccomp = seccomp_choice(request);
  // A guest may be given ~/.cache, but hardly the store: there it could change the templates as well.
  // Without a home, filters that are not built in are compiled each time.
  const auto cache = caller.is_root() ? "/run/isolate" : store_path(request.store, caller).value_or("/nonexistent");
  // Guests enter the stage there. Whoever keeps the filters would make it for root alone.
  if (caller.is_root()) TRY_VOID(make_directories(cache, 0755));
  plan->filters = TRY(plan_filters(plan->seccomp, plan->capabilities, cache + "/seccomp"));
  if (request.engine == EngineKind::lxc) {
    plan->system.capabilities = lxc_system_capabilities();
    plan->system.filters = TRY(plan_filters(plan->seccomp, plan->system.capabilities, cache + "/seccomp"));
  }
  const bool is_container = request.engine == EngineKind::lxc;
  const unsigned terminals = count_standard_terminals();
  // A guest that is given no terminal must not open the caller's by the name /dev/tty either.
  plan->own_session = is_container || terminals == 0;
  // Where a command would have no control over the terminal that it has, it gets its own.
  plan->own_terminal = request.own_terminal || (is_container && terminals == kStandardDescriptors);
  plan->memory_files = request.memory_files;
  plan->environment = plan_environment(request);
  plan->command = request.command;
  plan->signals = signals_of_caller();
  plan->groups = request.groups;
  plan->init = {fmt::format("/proc/self/fd/{}", protocol::kProgramFd), plan->working_directory};
  return {};
}

namespace {

// In whose guest the kernel takes somebody for the caller.
bool has_callers_id(const Caller& caller, const IdPlan& ids) { return !caller.is_root() || ids.shares_own_ids; }

// A guest that makes sandboxes of its own mounts /proc in them, which the kernel allows only where nothing is mounted
// over a file of its own /proc.
bool may_make_namespaces(const RunPlan& plan) {
  const auto kind = plan.seccomp.kind;
  return plan.capabilities.has(CAP_SYS_ADMIN) || kind == SeccompChoice::Kind::terminal ||
         kind == SeccompChoice::Kind::none;
}

}  // namespace

Result<void> complete_plan(const RunRequest& request, const Caller& caller, RunPlan* plan) {
  const bool guards_mounts = locks_mounts(request);
  // The kernel counts all processes of who made a namespace. Below the caller's it is the guest's alone.
  plan->ids.process_limit = limit_of(plan->limits, RLIMIT_NPROC);
  const bool counts_processes =
      plan->ids.process_limit != kUnlimited && (!caller.is_root() || plan->ids.shares_own_ids);
  plan->ids.nested = plan->ids.nested_private || (plan->ids.new_namespace && (guards_mounts || counts_processes));
  EngineRequest engine;
  engine.root = plan->stage + "/root";
  engine.host_name = plan->clone_id;
  engine.share_network = request.share_network;
  if (is_bridged(request)) engine.bridge = request.lxc.bridge;
  engine.lasting = !request.directory.empty() || !plan->throw_away;
  engine.keeps_log = request.lxc.log;
  engine.covers_keys = has_callers_id(caller, plan->ids) && !may_make_namespaces(*plan);
  engine.capabilities = plan->capabilities;
  engine.init = plan->init;
  plan->engine = TRY(plan_engine(request.engine, engine));
  // A filter needs that, or the right to do without it.
  if (!plan->filters.empty() && !plan->capabilities.has(CAP_SYS_ADMIN)) plan->engine.no_new_privileges = true;
  return {};
}

namespace {

std::string describe(const SeccompChoice& choice) {
  switch (choice.kind) {
    case SeccompChoice::Kind::none:
      return "none";
    case SeccompChoice::Kind::standard:
      return "default";
    case SeccompChoice::Kind::file:
      return "tty and " + text::printable(choice.file);
    case SeccompChoice::Kind::automatic:
    case SeccompChoice::Kind::terminal:
      break;
  }
  return "tty";
}

void describe(const GroupLimits& limits, std::vector<std::string>* lines) {
  if (limits.memory) lines->push_back(fmt::format("limit: memory {} bytes, no swap", *limits.memory));
  if (limits.cpu_time) {
    lines->push_back(fmt::format("limit: processors {} of each {} microseconds", *limits.cpu_time, kCpuPeriod));
  }
  if (limits.processes) lines->push_back(fmt::format("limit: processes of the guest {}", *limits.processes));
  if (limits.io_weight) lines->push_back(fmt::format("limit: weight {} for disks", *limits.io_weight));
}

std::string quoted(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  for (const auto& word : words) parts.push_back(text::shell_quoted(word));
  return text::join(parts, " ");
}

}  // namespace

std::vector<std::string> warnings_of(const RunPlan& plan, const RunRequest& request) {
  std::vector<std::string> warnings;
  if (plan.seccomp.kind == SeccompChoice::Kind::none && request.seccomp.kind == SeccompChoice::Kind::automatic) {
    warnings.emplace_back(
        "DISABLE_SECCOMP_WRAPPER is set: no seccomp filter keeps the command from typing into your terminal");
  }
  if (plan.ids.shares_own_ids) {
    warnings.emplace_back("root has no range of ids for this run here: root inside is you, as for an ordinary user");
  }
  if (request.engine == EngineKind::chroot) {
    warnings.emplace_back(
        "the chroot engine does not isolate: the command shares the host's network and more; use it to maintain "
        "templates");
  }
  return warnings;
}

std::vector<std::string> describe(const RunPlan& plan, EngineKind engine) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("engine: {}", engine_name(engine)));
  lines.push_back(fmt::format("clone: {}", plan.clone_id));
  if (plan.root.lower.empty()) {
    const bool is_directory = !plan.root.file_system;
    const auto what = is_directory ? "directory" : "file system " + plan.root.file_system->type;
    lines.push_back(fmt::format("root: {} {} itself", what, name_of_root(plan.root)));
  }
  for (const auto& layer : plan.root.lower) lines.push_back("root: layer " + layer);
  if (!plan.root.lower.empty()) lines.push_back("root: changes in " + plan.root.directory + "/upper");
  if (plan.read_only_root) lines.emplace_back("root: read-only");
  if (plan.ids.new_namespace) {
    lines.push_back("user ids: " + describe(plan.ids.maps.uid));
    lines.push_back("group ids: " + describe(plan.ids.maps.gid));
    if (plan.ids.idmap_root) lines.emplace_back("root: id-mapped, on disk as inside");
    if (plan.ids.shares_own_ids) lines.emplace_back("user ids: the caller's own; root inside is the caller");
    if (plan.ids.nested) {
      lines.push_back(fmt::format("user ids: a namespace below, whose 0 is {} above", plan.ids.nested_private ? 1 : 0));
    }
  } else {
    lines.emplace_back("user ids: the host's own");
  }
  if (plan.groups == GroupsMode::keep) lines.emplace_back("groups of the caller: kept");
  if (plan.groups == GroupsMode::drop) lines.emplace_back("groups of the caller: dropped");
  if (plan.engine.own_network) lines.emplace_back("network: of its own, a loopback interface");
  for (const auto& mount : plan.mounts) lines.push_back(describe(mount));
  for (const auto& name : plan.capabilities.names()) lines.push_back("capability: " + name);
  for (const auto& limit : plan.limits) {
    const auto value = limit.value == kUnlimited ? "unlimited" : std::to_string(limit.value);
    lines.push_back(fmt::format("limit: {}={}", limit.name, value));
  }
  if (plan.memory_files != 0) lines.push_back(fmt::format("limit: files in memory {} bytes", plan.memory_files));
  describe(plan.group_limits, &lines);
  lines.push_back("seccomp: " + describe(plan.seccomp));
  if (plan.own_terminal) lines.emplace_back("terminal: its own");
  for (const auto& variable : plan.environment) lines.push_back("environment: " + text::printable(variable));
  lines.push_back("directory: " + text::printable(plan.working_directory));
  if (!plan.engine.program.empty()) lines.push_back("confine: " + text::printable(quoted(plan.engine.program)));
  lines.push_back("command: " + text::printable(quoted(plan.command)));
  return lines;
}

}  // namespace isolate
