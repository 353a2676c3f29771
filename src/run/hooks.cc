#include "run/hooks.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/user_namespace.h"
#include "run/root_builder.h"

namespace isolate {
namespace {

// An overlay that was mounted without syncing leaves a mark in its work directory that forbids a second mount.
Result<void> renew_work_directory(const std::string& clone) {
  auto directory = TRY(open_file(AT_FDCWD, clone, O_RDONLY | O_DIRECTORY));
  TRY_VOID(remove_tree(directory.get(), "work"));
  return make_directory(directory.get(), "work", 0700);
}

Result<void> mount_clone(const RunPlan& run, const std::string& stage) {
  TRY(trace::check(::unshare(CLONE_NEWNS), "unshare", "mount namespace"));
  TRY_VOID(mount::make_all_private());
  const Fd working_directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  TRY_VOID(renew_work_directory(run.root.directory));
  // The layers as they are on disk, and nothing else.
  RunPlan plan;
  plan.root = run.root;
  plan.throw_away = run.throw_away;
  plan.stage = stage;
  RootBuilder builder(plan, -1);
  TRY_VOID(builder.open_sources());
  TRY_VOID(builder.attach_sources());
  TRY_VOID(builder.mount_root());
  // Back to where the caller is; one who stands in a directory that he can't read is put on "/".
  if (!working_directory || ::fchdir(working_directory.get()) != 0) {
    if (::chdir("/") != 0) return fail(errno, "chdir /");
  }
  return {};
}

Result<void> run_shell(const char* name, const std::string& command, const std::string& root) {
  auto environment = current_environment();
  std::erase_if(environment, [](const std::string& variable) { return variable.starts_with("ROOTFS="); });
  environment.push_back("ROOTFS=" + root);
  // The descriptors 0 to 2 are the caller's; the hook is his.
  auto shell = TRY(spawn({"/bin/sh", "-c", command}, {STDIN_FILENO, -1, -1}, environment));
  const auto status = TRY(shell.wait());
  if (status.success()) return {};
  return fail(fmt::format("{} ended with {}", name, status.describe()));
}

}  // namespace

Result<void> run_hook(const char* name, const std::string& command, const RunPlan& plan, const Caller& caller,
                      int user_namespace, const std::string& stage) {
  const bool is_overlay = !plan.root.lower.empty();
  const std::string root = is_overlay ? stage + "/root" : plan.root.directory;
  auto body = [&]() -> Result<void> {
    if (is_overlay) TRY_VOID(mount_clone(plan, stage));
    return run_shell(name, command, root);
  };
  return run_in_child([&]() -> Result<void> {
    if (!caller.is_root()) TRY_VOID(become_root_in(user_namespace, Groups::keep));
    return body();
  });
}

}  // namespace isolate
