#include <fmt/format.h>

#include "base/text.h"
#include "plan/plan.h"

namespace isolate {
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

std::string quoted_words(const std::vector<std::string>& words) {
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

std::vector<std::string> describe(const RunPlan& plan) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("engine: {}", engine_name(plan.engine_kind)));
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
  if (plan.user) {
    lines.push_back(
        fmt::format("user: {} ({}:{}), home {}", plan.user->name, plan.user->uid, plan.user->gid, plan.user->home));
  }
  const auto capabilities = has_own_user(plan) ? CapabilitySet::none() : plan.capabilities;
  for (const auto& name : capabilities.names()) lines.push_back("capability: " + name);
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
  if (!plan.engine.program.empty()) lines.push_back("confine: " + text::printable(quoted_words(plan.engine.program)));
  lines.push_back("command: " + text::printable(quoted_words(plan.command)));
  if (!plan.control_group.empty()) lines.push_back("control group: " + plan.control_group);
  return lines;
}

}  // namespace isolate
