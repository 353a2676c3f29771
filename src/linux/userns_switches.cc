#include "linux/userns_switches.h"

#include <fmt/format.h>
#include <sched.h>

#include <array>
#include <string_view>

#include "linux/file.h"
#include "linux/fork_to_execute.h"

namespace isolate {
namespace {

struct Switch {
  const char* path;
  std::string_view forbidding;
  const char* name;
};

// Only the kernels of Debian and Ubuntu have the first two. Every kernel has the last one, and it binds root, too.
constexpr std::array<Switch, 3> kSwitches = {
    {{"/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone"},
     {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns"},
     {"/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces"}}};

}  // namespace

std::string switch_against_user_namespaces() {
  for (const auto& known : kSwitches) {
    const auto text = read_file(known.path);  // a kernel without the switch has no such file
    if (text && text->substr(0, text->find('\n')) == known.forbidding) {
      return fmt::format("sysctl {} is {}", known.name, known.forbidding);
    }
  }
  return {};
}

std::string reason_against_user_namespaces() {
  // With AppArmor's switch on, creating a namespace succeeds, but gives no rights in it. So check the switches first.
  if (auto name = switch_against_user_namespaces(); !name.empty()) return name;
  const auto child = fork_to_execute([] { return 0; }, CLONE_NEWUSER);
  if (child || child.error().code() != EPERM) return {};
  return "a container's seccomp filter, or another rule of the host, refuses them";
}

}  // namespace isolate
