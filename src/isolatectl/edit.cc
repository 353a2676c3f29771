#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "linux/root_path.h"
#include "run/run.h"

namespace isolate {
namespace {

// The shell that the template has: bash where there is one.
Result<std::vector<std::string>> shell_of(const Generation& generation) {
  for (const char* shell : {"/bin/bash", "/bin/sh"}) {
    for (const auto& layer : generation.layers) {
      const Fd root(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (root && root_path::open(root.get(), shell, O_PATH)) return std::vector<std::string>{shell, "-l"};
    }
  }
  return fail("template '" + generation.template_name + "' has no shell; name a command behind --");
}

RunRequest edit_request(const Context& context, const std::string& name) {
  RunRequest request;
  request.engine = EngineKind::chroot;
  request.template_name = name;
  request.store = context.path();
  request.share_network = true;
  request.lasting = true;
  return request;
}

Result<void> publish(Context& context, const Pool& pool, Lease* lease) {
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  const auto number = TRY(context.store().publish_clone(lease->generation(), lease->id()));
  if (!context.quiet()) log::info(fmt::format("template {} is now at generation {}", pool.template_name(), number));
  return {};
}

}  // namespace

Result<int> edit_template(Context& context, const std::string& name, const std::vector<std::string>& command) {
  // Refuses before state directories are made for a template that does not exist.
  TRY(context.store().newest_generation(name));
  auto pool = context.pool(name);
  auto editing = TRY(pool.lock_for_edit());
  LeaseInfo info;
  info.engine = "chroot";
  info.user = std::to_string(context.owner().caller().uid);
  info.pid = ::getpid();
  info.since = ::time(nullptr);
  auto lease = TRY(Lease::take(&pool, std::move(info)));

  auto request = edit_request(context, name);
  auto shell = command.empty() ? shell_of(lease.generation()) : command;
  Result<int> status = 0;
  if (shell) {
    request.command = *shell;
    status = run_on_lease(request, lease, &context.owner());
  } else {
    status = fail(std::move(shell).error());
  }
  Result<void> published;
  if (status && *status == 0) published = publish(context, pool, &lease);
  auto dropped = lease.drop();
  TRY_VOID(std::move(published));
  TRY_VOID(std::move(dropped));
  if (status && *status != 0) {
    log::warning(fmt::format("template {} is unchanged: the command ended with status {}", name, *status));
  }
  return status;
}

}  // namespace isolate
