#include "plan/plan.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>

#include "linux/terminal.h"
#include "request/guest_rights.h"
#include "share/share.h"
#include "stage/layout.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

std::vector<RootMount> plan_mounts(const RunRequest& request, const SharePlan& shares) {
  std::vector<RootMount> mounts;
  mounts.push_back({MountKind::devices, "/dev", "", false});
  mounts.push_back({MountKind::tmpfs, "/tmp", "", false, 01777});
  if (request.empty_home) mounts.push_back({MountKind::tmpfs, "/home", "", false, 0755});
  for (auto& mount : plan_shares(request)) mounts.push_back(std::move(mount));
  mounts.insert(mounts.end(), shares.mounts.begin(), shares.mounts.end());
  // Binds come last, because their targets may be below any of the other mounts.
  for (const auto& bind : request.binds) mounts.push_back({MountKind::bind, bind.target, bind.source, bind.read_only});
  return mounts;
}

// Adds NAME=VALUE, or replaces the value that NAME has.
void set_variable(const std::string& variable, std::vector<std::string>* environment) {
  const auto name = variable.substr(0, variable.find('=') + 1);
  std::erase_if(*environment, [&name](const std::string& other) { return other.starts_with(name); });
  environment->push_back(variable);
}

// The command gets only TERM of the caller's environment, the variables of the shares, and those that -v names.
std::vector<std::string> plan_environment(const RunRequest& request, const CallerFacts& facts) {
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "HOME=/root",
                                          "USER=root",
                                          "LOGNAME=root",
                                          "SHELL=/bin/sh",
                                          "LANG=C.UTF-8",
                                          "container=isolate"};
  if (facts.term) environment.push_back("TERM=" + *facts.term);
  for (const auto* variables : {&facts.shares.environment, &request.environment}) {
    for (const auto& variable : *variables) set_variable(variable, &environment);
  }
  return environment;
}

void plan_root(const RunRequest& request, const AcquiredRoot& root, const SharePlan& shares, RunPlan* plan) {
  plan->clone_id = root.id;
  plan->template_name = root.template_name;
  plan->root = root.source;
  plan->throw_away = !request.keep && !request.lasting;
  plan->read_only_root = request.read_only || root.read_only;
  plan->may_create_targets = !root.read_only && (!request.read_only || request.directory.empty());
  plan->mounts = plan_mounts(request, shares);
  plan->user = shares.user;
  plan->working_directory = request.working_directory;
  if (plan->working_directory.empty()) plan->working_directory = shares.user ? shares.user->home : "/";
  plan->memory_files = request.memory_files;
}

Result<void> plan_ids(const RunRequest& request, const AcquiredRoot& root, const CallerFacts& facts, RunPlan* plan) {
  if (root.maps) {
    plan->ids.maps = *root.maps;
    plan->ids.is_leased = true;
  } else {
    plan->ids = TRY(plan_ids(request, facts.caller, facts.ids, root.owner));
  }
  auto& ids = plan->ids;
  ids.acts_as_root = facts.caller.is_root() && !ids.shares_own_ids;
  // The kernel counts all processes of the user who made a user namespace, so a caller's other processes would count
  // towards the guest's limit. In a second namespace below, the kernel counts only the guest's processes.
  ids.process_limit = limit_of(plan->limits, RLIMIT_NPROC);
  const bool counts_processes = ids.process_limit != kUnlimited && !ids.acts_as_root;
  const bool is_needed = ids.nested_private || (ids.new_namespace && (locks_mounts(request) || counts_processes));
  ids.nested = root.has_namespace_below.value_or(is_needed);
  return {};
}

Result<void> plan_limits(const RunRequest& request, const CallerFacts& facts, RunPlan* plan) {
  TRY_VOID(check_reachable(request.limits, facts.hard_limits));
  plan->limits = planned_limits(request, facts.hard_limits);
  plan->group_limits = facts.group_limits;
  plan->control_group = facts.control_group;
  const bool is_limited = limit_of(plan->limits, RLIMIT_NPROC) != kUnlimited;
  if (request.engine == EngineKind::chroot && facts.caller.is_root() && is_limited) {
    return fail("ulimit nproc does not hold for root itself, which the command is with the chroot engine");
  }
  return {};
}

void plan_command(const RunRequest& request, const CallerFacts& facts, RunPlan* plan) {
  plan->capabilities = planned_capabilities(request);
  plan->seccomp = facts.seccomp;
  plan->filters = facts.filters;
  if (request.engine == EngineKind::lxc) {
    plan->system.capabilities = lxc_system_capabilities();
    plan->system.filters = facts.system_filters;
  }
  plan->umask = facts.umask;
  plan->environment = plan_environment(request, facts);
  plan->command = request.command;
  plan->waits = request.hold;
  plan->signals = facts.signals;
  plan->groups = request.groups;
  plan->init = {fmt::format("/proc/self/fd/{}", protocol::kProgramFd)};
}

void plan_terminal(const RunRequest& request, const CallerFacts& facts, RunPlan* plan) {
  const bool is_container = request.engine == EngineKind::lxc;
  // A guest without a terminal among its streams must not open the caller's as /dev/tty either.
  plan->own_session = is_container || facts.standard_terminals == 0;
  // A container's command would have no control over the caller's terminal, so it gets its own.
  plan->own_terminal = request.own_terminal || (is_container && facts.standard_terminals == kStandardDescriptors);
  plan->own_group = plan->own_terminal || plan->own_session || !facts.has_controlling_terminal;
}

// Whether the guest's root may have the caller's own id on the host, so that the kernel gives it the caller's rights.
bool has_callers_id(const CallerFacts& facts, const IdPlan& ids) {
  return !facts.caller.is_root() || ids.shares_own_ids;
}

// Whether the guest may make namespaces, and so sandboxes of its own. It then has to mount /proc in them. The kernel
// allows that only if nothing covers a file of the guest's own /proc.
bool may_make_namespaces(const RunPlan& plan) {
  const auto kind = plan.seccomp.kind;
  return plan.capabilities.has(CAP_SYS_ADMIN) || kind == SeccompChoice::Kind::terminal ||
         kind == SeccompChoice::Kind::none;
}

EnginePlan plan_engine(EngineKind engine, const EngineRequest& request) {
  switch (engine) {
    case EngineKind::bwrap:
      return plan_bwrap(request);
    case EngineKind::lxc:
      return plan_lxc(request);
    case EngineKind::native:
      return plan_native(request);
    case EngineKind::chroot:
      break;
  }
  return plan_chroot(request);
}

// The engine has to be process 1 of a pid namespace, so that everything it has started dies with it. Root's launcher is
// born in such a namespace and becomes the engine. An ordinary user can make a pid namespace only inside their user
// namespace, so the launcher makes the engine there. An engine that needs a /proc of its pid namespace is made in the
// same way for everybody: the run can mount that /proc only if the pid namespace was made inside the user namespace.
EngineStart engine_start(const RunPlan& plan) {
  if (plan.engine.program.empty()) return EngineStart::enters_root;
  const bool is_in_place = plan.ids.acts_as_root && !plan.engine.looks_into_proc;
  return is_in_place ? EngineStart::replaces_launcher : EngineStart::is_child;
}

Result<void> plan_engine(const RunRequest& request, const CallerFacts& facts, RunPlan* plan) {
  EngineRequest engine;
  engine.program = facts.engine_program;
  engine.root = stage::path(plan->stage, stage::kRoot);
  engine.host_name = plan->clone_id;
  engine.share_network = request.share_network;
  engine.bridge = bridge_of(request);
  engine.lasting = !request.directory.empty() || !plan->throw_away;
  engine.keeps_log = request.lxc.log;
  // If the guest has the caller's id, these files of /proc would show it the names of the caller's keys. With chroot
  // they are covered in any case.
  const bool shows_keys = has_callers_id(facts, plan->ids) && !may_make_namespaces(*plan);
  if (shows_keys || request.engine == EngineKind::chroot) engine.covered_files = facts.key_files;
  engine.shares_settings = facts.may_change_machine && plan->ids.shares_own_ids;
  engine.capabilities = plan->capabilities;
  // isolate-init needs this one to map the guest's root to another user.
  if (has_own_user(*plan)) engine.capabilities.add(TRY(CapabilitySet::parse("SETFCAP")));
  engine.init = plan->init;
  plan->engine_kind = request.engine;
  plan->engine = plan_engine(request.engine, engine);
  plan->start = engine_start(*plan);
  // The kernel accepts a filter only from a process with no_new_privs or with CAP_SYS_ADMIN (seccomp(2)).
  if (!plan->filters.empty() && !plan->capabilities.has(CAP_SYS_ADMIN)) plan->engine.no_new_privileges = true;
  return {};
}

}  // namespace

Result<RunPlan> make_plan(const RunRequest& request, const AcquiredRoot& root, const CallerFacts& facts) {
  RunPlan plan;
  plan.stage = facts.caller.is_root() ? stage::kOfRoot : stage::kOfUser;
  plan_root(request, root, facts.shares, &plan);
  TRY_VOID(plan_limits(request, facts, &plan));
  TRY_VOID(plan_ids(request, root, facts, &plan));
  plan_command(request, facts, &plan);
  plan_terminal(request, facts, &plan);
  TRY_VOID(plan_engine(request, facts, &plan));
  plan.warnings = root.warnings;
  plan.warnings.insert(plan.warnings.end(), facts.shares.warnings.begin(), facts.shares.warnings.end());
  for (auto& warning : warnings_of(plan, request)) plan.warnings.push_back(std::move(warning));
  return plan;
}

bool has_own_user(const RunPlan& plan) { return plan.user && plan.user->uid != 0; }

bool guest_is_caller(const RunPlan& plan, const Caller& caller) {
  if (!plan.ids.new_namespace) return true;
  const auto& root = plan.ids.maps.uid[plan.ids.nested_private ? 1 : 0];
  return root.outside == caller.uid;
}

}  // namespace isolate
