// A PipeWire server (--pipewire): its socket, for sound, cameras and screens.
#include <fmt/format.h>

#include "base/environment.h"
#include "base/text.h"
#include "share/guest_files.h"
#include "share/host_socket.h"

namespace isolate {
namespace {

constexpr const char* kServer = "the PipeWire server";
constexpr const char* kSocket = "pipewire-0";

Result<std::string> find_socket() {
  auto name = environment_variable("PIPEWIRE_REMOTE");
  if (name.empty()) name = kSocket;
  if (name.starts_with('/')) return name;
  if (name.find('/') != std::string::npos || name.starts_with('[')) {
    return fail(fmt::format("PIPEWIRE_REMOTE={} is not the name or the path of a socket", text::printable(name)));
  }
  const auto directory = environment_variable("PIPEWIRE_RUNTIME_DIR");
  if (directory.starts_with('/')) return directory + "/" + name;
  return fmt::format("{}/{}", TRY(callers_runtime_directory(kServer)), name);
}

Result<SharePlan> look_up(const RunRequest& /*request*/, const Caller& caller,
                          const std::vector<std::string>& /*wishes*/) {
  const auto server = TRY(open_host_socket(TRY(find_socket()), kServer, caller));
  RootMount mount;
  mount.target = fmt::format("{}/{}", kRuntimeDirectory, kSocket);
  mount.source = server.path;
  SharePlan plan;
  plan.environment = {"PIPEWIRE_REMOTE=" + mount.target, kRuntimeVariable};
  plan.mounts.push_back(std::move(mount));
  return plan;
}

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  return share_socket(TRY(open_host_socket(mount.source, kServer, context.caller)), context, "", kSocket);
}

std::string describe_server(const RootMount& mount) {
  return fmt::format("PipeWire: {} on {}", text::printable(mount.source), mount.target);
}

constexpr ShareOption kOption = {
    0, "pipewire", nullptr, false, false, "use your PipeWire server: sound, cameras, screens", nullptr};

}  // namespace

const Share kPipeWire = {
    .name = "pipewire", .describe = describe_server, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
