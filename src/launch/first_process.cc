#include "launch/first_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/keys.h"
#include "linux/machine_settings.h"
#include "linux/mount.h"
#include "linux/network_namespace.h"
#include "linux/process.h"
#include "linux/root_path.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

// Makes what controls the machine read-only for a guest that the kernel would let write there.
Result<void> close_settings_of_host(const Fd& proc) {
  if (!may_change_machine(proc.get())) return {};
  for (const auto& name : machine_settings()) {
    auto place = open_file(proc.get(), name, O_PATH | O_NOFOLLOW);
    if (!place && place.error().code() == ENOENT) continue;
    const auto closed = TRY(mount::copy_tree(proc.get(), name, false));
    TRY_VOID(mount::set_attributes(closed, {MOUNT_ATTR_RDONLY, -1, true, false}, name));
    TRY_VOID(mount::attach(closed, TRY(std::move(place)).get(), name));
  }
  return {};
}

}  // namespace

Result<Fd> make_proc() {
  auto made = mount::make("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (made || made.error().code() != EPERM) return made;
  return fail(std::move(made).error().advise(
      "the kernel allows a new /proc only where nothing covers a part of the present one, as containers do; give the "
      "container a whole /proc (docker, podman: --security-opt unmask=ALL or systempaths=unconfined)"));
}

// If /proc/sys can't be written here, only the guest's root can ping; everything else works.
Result<void> enter_own_network(const EnginePlan& engine) {
  if (!engine.own_network) return {};
  TRY_VOID(new_network_namespace());
  [[maybe_unused]] auto range = allow_ping();
  return {};
}

Result<void> set_up_namespaces(const EnginePlan& engine) {
  const auto& name = engine.own.host_name;
  if (!name.empty()) TRY(trace::check(::sethostname(name.data(), name.size()), "sethostname", name));
  return enter_own_network(engine);
}

Result<void> become_init(const RunPlan& plan, int root) {
  const auto proc = TRY(make_proc());
  auto place = TRY(root_path::directory(root, "/proc", false));
  TRY_VOID(mount::attach(proc, place.get(), "/proc"));
  TRY_VOID(cover_files_of_proc(proc, plan.engine.own.covered_files));
  if (plan.engine.own.closes_settings) TRY_VOID(close_settings_of_host(proc));
  TRY_VOID(mount::enter_root(root));
  auto arguments = pointer_array(plan.init);
  auto environment = pointer_array({});
  ::execveat(protocol::kProgramFd, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  return fail(errno, "start isolate-init");
}

}  // namespace isolate
