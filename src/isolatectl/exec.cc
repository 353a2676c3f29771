#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/daemon.h"
#include "join/exec_client.h"
#include "request/request.h"
#include "supervise/outcome.h"

namespace isolate {
namespace {

// Looks in the caller's stores first (root sees the leases of all users there) and then asks the daemon, because
// members have no access to the store of the daemon's leases.
Result<LeaseInfo> find_lease_anywhere(Context& context, const std::string& clone_id) {
  if (auto place = TRY(find_own_lease(context, clone_id))) return std::move(place->info);
  for (const auto& row : TRY(ask_daemon(context, "ListLeases", "leases"))) {
    if (row.value("lease", "") != clone_id) continue;
    LeaseInfo info;
    info.clone_id = clone_id;
    info.user = row.value("user", "");
    info.pid = row.value("pid", std::int64_t{0});
    return info;
  }
  return fail(no_lease(clone_id));
}

Result<ExecRequest> request_of(const ExecOptions& options) {
  ExecRequest request;
  request.command = options.command;
  request.directory = options.directory;
  if (!request.directory.empty() && request.directory.front() != '/') {
    return fail("working directory '" + text::printable(request.directory) +
                "': give a path inside the guest that begins with '/'");
  }
  request.own_terminal = options.own_terminal || (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1);
  // TERM describes the caller's terminal. The run may have been started without one, or with another one.
  const char* kind = std::getenv("TERM");
  if (request.own_terminal && kind != nullptr) request.variables.push_back(std::string("TERM=") + kind);
  for (const auto& text : options.variables) {
    if (auto variable = TRY(parse_variable_of(text))) request.variables.push_back(std::move(*variable));
  }
  return request;
}

Result<int> run(Context& context, const ExecOptions& options) {
  auto request = TRY(request_of(options));
  const auto info = TRY(find_lease_anywhere(context, options.lease));
  return run_in_guest(TRY(connect_to_run(info)), std::move(request));
}

}  // namespace

int exec_in_lease(Context& context, const ExecOptions& options) {
  const auto status = run(context, options);
  if (status) return *status;
  log::error(status.error().message());
  return kOwnFailure;
}

}  // namespace isolate
