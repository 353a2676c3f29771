#include "join/exec_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "linux/sealed_file.h"
#include "wire/init_protocol.h"
#include "wire/texts.h"

namespace isolate {

using wire::cut_text;

Result<std::string> to_message(const ExecRequest& request) {
  const protocol::ExecSetup setup{request.own_terminal ? 1U : 0U,
                                  request.own_error ? 1U : 0U,
                                  static_cast<std::uint32_t>(request.command.size()),
                                  static_cast<std::uint32_t>(request.variables.size()),
                                  request.signals.ignored,
                                  request.signals.blocked};
  std::string message(reinterpret_cast<const char*>(&setup), sizeof setup);
  const auto add = [&message](const std::string& text) { wire::add_text(text, &message); };
  add(request.directory);
  std::for_each(request.command.begin(), request.command.end(), add);
  std::for_each(request.variables.begin(), request.variables.end(), add);
  if (message.size() > protocol::kMostExecBytes) {
    return fail(
        fmt::format("the command's arguments and environment variables are too long: {} bytes, and the limit is {}",
                    message.size(), protocol::kMostExecBytes));
  }
  return message;
}

Result<void> check_message(std::string_view message) {
  protocol::ExecSetup setup{};
  if (message.size() < sizeof setup || message.size() > protocol::kMostExecBytes) return fail("its length is wrong");
  std::memcpy(&setup, message.data(), sizeof setup);
  if (setup.own_terminal > 1 || setup.own_error > 1) return fail("a flag is neither 0 nor 1");
  auto rest = message.substr(sizeof setup);
  const auto directory = TRY(cut_text(&rest));
  if (!directory.empty() && directory.front() != '/') return fail("the directory is not an absolute path");
  if (setup.arguments == 0) return fail("it has no command");
  for (std::uint32_t i = 0; i < setup.arguments; ++i) TRY(cut_text(&rest));
  for (std::uint32_t i = 0; i < setup.variables; ++i) {
    const auto equals = TRY(cut_text(&rest)).find('=');
    if (equals == std::string_view::npos || equals == 0) return fail("a variable does not have the form NAME=VALUE");
  }
  if (!rest.empty()) return fail("something follows after its end");
  return {};
}

Result<void> check_sealed_message(const Fd& file) {
  return check_message(TRY(read_sealed_file(file, protocol::kMostExecBytes)));
}

}  // namespace isolate
