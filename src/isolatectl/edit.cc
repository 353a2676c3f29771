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

// The shell that the root has, of one of these directories: bash where there is one.
Result<std::vector<std::string>> shell_of(const std::string& template_name,
                                          const std::vector<std::string>& directories) {
  for (const char* shell : {"/bin/bash", "/bin/sh"}) {
    for (const auto& directory : directories) {
      const Fd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (root && root_path::open(root.get(), shell, O_PATH)) return std::vector<std::string>{shell, "-l"};
    }
  }
  return fail("template '" + template_name + "' has no shell; name a command behind --");
}

void tell_generation(const Context& context, const std::string& name, std::uint64_t number) {
  if (!context.quiet()) log::info(fmt::format("template {} is now at generation {}", name, number));
}

Result<RunRequest> edit_request(const Context& context, const std::vector<std::string>& variables) {
  RunRequest request;
  for (const auto& text : variables) {
    if (auto variable = TRY(parse_variable_of(text))) request.environment.push_back(std::move(*variable));
  }
  request.engine = EngineKind::chroot;
  request.store = context.main_store();
  request.share_network = true;
  request.lasting = true;
  return request;
}

Result<std::uint64_t> publish(const TemplatePlace& place, const Pool& pool, const Lease& lease) {
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  return place.store->publish_clone(lease.generation(), lease.id());
}

// On a clone, which then becomes the next generation.
Result<int> edit_clone(Context& context, RunRequest request, const TemplatePlace& place,
                       const std::vector<std::string>& command) {
  Pool pool(place.store.get(), place.name);
  LeaseInfo info;
  info.engine = "chroot";
  info.user = std::to_string(context.owner().caller().uid);
  info.pid = ::getpid();
  info.since = ::time(nullptr);
  auto lease = TRY(Lease::take(&pool, std::move(info)));

  request.template_name = place.name;
  const auto& layers = lease.root().lower;
  auto shell = command.empty()
                   ? shell_of(place.name, layers.empty() ? std::vector<std::string>{lease.root().directory} : layers)
                   : command;
  Result<int> status = 0;
  if (shell) {
    request.command = *shell;
    status = run_on_lease(request, lease, &context.owner());
  } else {
    status = fail(std::move(shell).error());
  }
  Result<std::uint64_t> published = 0;
  if (status && *status == 0) {
    published = publish(place, pool, lease);
    if (published) tell_generation(context, place.name, *published);
  }
  auto dropped = lease.drop();
  if (!published) return fail(std::move(published).error());
  TRY_VOID(std::move(dropped));
  return status;
}

// In its place: what was there before comes back when the command fails.
Result<int> edit_in_place(Context& context, RunRequest request, const TemplatePlace& place,
                          const std::vector<std::string>& command) {
  request.directory = TRY(place.store->begin_changes(place.name));
  auto shell = command.empty() ? shell_of(place.name, {request.directory}) : command;
  int status = 1;
  if (shell) {
    request.command = *shell;
    status = run(request);
  }
  if (status == 0) {
    tell_generation(context, place.name, TRY(place.store->snapshot(place.name)));
    return status;
  }
  TRY_VOID(place.store->discard_changes(place.name));
  if (!shell) return fail(std::move(shell).error());
  return status;
}

}  // namespace

Result<int> edit_template(Context& context, const std::string& name, const std::vector<std::string>& command,
                          const std::vector<std::string>& variables) {
  auto request = TRY(edit_request(context, variables));
  const auto place = TRY(context.find(name));
  TRY(place.store->newest_generation(place.name));
  auto editing = TRY(Pool(place.store.get(), place.name).lock_for_edit());
  const auto status = TRY(place.store->has_working_tree() ? edit_in_place(context, std::move(request), place, command)
                                                          : edit_clone(context, std::move(request), place, command));
  if (status != 0)
    log::warning(fmt::format("template {} is unchanged: the command ended with status {}", name, status));
  return status;
}

Result<void> snapshot_template(Context& context, const std::string& name) {
  const auto place = TRY(context.find(name));
  Pool pool(place.store.get(), place.name);
  auto editing = TRY(pool.lock_for_edit());
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  tell_generation(context, place.name, TRY(place.store->snapshot(place.name)));
  return {};
}

}  // namespace isolate
