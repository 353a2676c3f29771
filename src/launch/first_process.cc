#include "launch/first_process.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/keys.h"
#include "linux/mount.h"
#include "linux/network_namespace.h"
#include "linux/process.h"
#include "linux/root_path.h"
#include "wire/init_protocol.h"

namespace isolate {

Result<Fd> make_proc() { return mount::make("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC); }

// If /proc/sys can't be written here, only the guest's root can ping; everything else works.
Result<void> enter_own_network(const EnginePlan& engine) {
  if (!engine.own_network) return {};
  TRY_VOID(new_network_namespace());
  [[maybe_unused]] auto range = allow_ping();
  return {};
}

Result<Fd> set_up_namespaces(const EnginePlan& engine) {
  const auto& name = engine.own.host_name;
  if (!name.empty()) TRY(trace::check(::sethostname(name.data(), name.size()), "sethostname", name));
  TRY_VOID(enter_own_network(engine));
  return make_proc();
}

Result<void> become_init(const RunPlan& plan, int root, const Fd& proc) {
  auto place = TRY(root_path::directory(root, "/proc", false));
  TRY_VOID(mount::attach(proc, place.get(), "/proc"));
  TRY_VOID(cover_files_of_proc(proc, plan.engine.own.covered_files));
  TRY_VOID(mount::enter_root(root));
  auto arguments = pointer_array(plan.init);
  auto environment = pointer_array({});
  ::execveat(protocol::kProgramFd, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  return fail(errno, "start isolate-init");
}

}  // namespace isolate
