#include "launch/hooks.h"

#include <fmt/format.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/trace.h"
#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/reporting_child.h"
#include "linux/signal_reset.h"
#include "linux/tree.h"
#include "linux/user_namespace.h"
#include "stage/layout.h"

namespace isolate {
namespace {

// An overlay mounted with "volatile" leaves a mark in its work directory, and the kernel then refuses a second mount.
Result<void> renew_work_directory(const std::string& clone) {
  auto directory = TRY(open_file(AT_FDCWD, clone, O_RDONLY | O_DIRECTORY));
  TRY_VOID(remove_tree(directory.get(), stage::kWork));
  return make_directory(directory.get(), stage::kWork, 0700);
}

// Enters the mount namespace of a lease, which changes the working directory. Then returns to the caller's working
// directory if the namespace has it.
Result<void> enter_mounts(int mount_namespace) {
  char path[PATH_MAX];
  const bool is_known = ::getcwd(path, sizeof path) != nullptr;
  TRY(trace::check(::setns(mount_namespace, CLONE_NEWNS), "setns", "mount namespace of the lease"));
  if (is_known && ::chdir(path) == 0) return {};
  if (::chdir("/") != 0) return fail(errno, "chdir /");
  return {};
}

Result<void> mount_clone(const RunPlan& run, const std::string& stage_path) {
  TRY_VOID(mount::new_namespace());
  const Fd working_directory(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!run.root.lower.empty()) TRY_VOID(renew_work_directory(run.root.directory));
  // The hook sees only the clone as it is on disk, without /dev, /tmp and binds.
  RunPlan plan;
  plan.root = run.root;
  plan.throw_away = false;  // a volatile mount would leave a mark, and the run could not mount the clone
  plan.stage = stage_path;
  RootBuilder builder(plan, -1);
  TRY_VOID(builder.open_sources());
  TRY_VOID(builder.attach_sources());
  TRY_VOID(builder.mount_root());
  // Return to the caller's working directory, or to "/" if they can't open it.
  if (!working_directory || ::fchdir(working_directory.get()) != 0) {
    if (::chdir("/") != 0) return fail(errno, "chdir /");
  }
  return {};
}

// Becomes the hook's shell. Returns only if that fails.
Result<void> become_shell(const std::string& command, const std::string& root) {
  auto environment = current_environment();
  std::erase_if(environment, [](const std::string& variable) { return variable.starts_with("ROOTFS="); });
  environment.push_back("ROOTFS=" + root);
  const std::vector<std::string> argv = {"/bin/sh", "-c", command};
  auto arguments = pointer_array(argv);
  auto variables = pointer_array(environment);
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  reset_signals(signals_of_caller());
  ::execve(arguments[0], arguments.data(), variables.data());
  return fail(errno, "start /bin/sh");
}

// Waits for the hook, and passes on the signals that isolate gets meanwhile.
Result<ExitStatus> wait_passing_signals(ChildProcess* hook) {
  const Fd signals = TRY(held_signals());
  while (true) {
    pollfd sources[] = {{signals.get(), POLLIN, 0}, {hook->pidfd(), POLLIN, 0}};
    if (::poll(sources, 2, -1) < 0 && errno != EINTR) return fail(errno, "poll");
    signalfd_siginfo info{};
    if (sources[0].revents != 0 && ::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      // A signal from the terminal has reached the hook already.
      if (info.ssi_code != SI_KERNEL) hook->signal(static_cast<int>(info.ssi_signo));
      if (info.ssi_signo == SIGTSTP) ::raise(SIGSTOP);  // isolate stops as well: the caller's shell waits for it
    }
    if (sources[1].revents != 0) return hook->wait();
  }
}

}  // namespace

Result<void> run_hook(const char* name, const std::string& command, const RunPlan& plan, const Caller& caller,
                      const HookNamespaces& namespaces, const std::string& stage_path) {
  const bool is_mounted = plan.root.lower.empty() && !plan.root.file_system;
  const std::string root = is_mounted ? plan.root.directory : stage::path(stage_path, stage::kRoot);
  auto hook = TRY(ReportingChild::start([&]() -> Result<void> {
    if (!caller.is_root()) TRY_VOID(become_root_in(namespaces.user, Groups::keep));
    if (namespaces.mount >= 0) TRY_VOID(enter_mounts(namespaces.mount));
    if (!is_mounted) TRY_VOID(mount_clone(plan, stage_path));
    ::umask(plan.umask);
    return become_shell(command, root);
  }));
  const auto started = hook.report();
  const auto status = TRY(wait_passing_signals(&hook.process()));
  if (!started) return fail(Error(started.error()).within(name));
  if (status.success()) return {};
  return fail(fmt::format("{} ended with {}", name, status.describe()));
}

}  // namespace isolate
