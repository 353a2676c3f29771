#include "join/exec_request.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

// Removes a text and its terminating zero byte from the front of `rest`, and returns the text.
Result<std::string_view> cut_text(std::string_view* rest) {
  const auto end = rest->find('\0');
  if (end == std::string_view::npos) return fail("a text has no terminating zero byte");
  const auto text = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  return text;
}

}  // namespace

Result<std::string> to_message(const ExecRequest& request) {
  const protocol::ExecSetup setup{request.own_terminal ? 1U : 0U,
                                  request.own_error ? 1U : 0U,
                                  static_cast<std::uint32_t>(request.command.size()),
                                  static_cast<std::uint32_t>(request.variables.size()),
                                  request.signals.ignored,
                                  request.signals.blocked};
  std::string message(reinterpret_cast<const char*>(&setup), sizeof setup);
  const auto add = [&message](const std::string& text) { message.append(text.c_str(), text.size() + 1); };
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
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & protocol::kSetupSeals) != protocol::kSetupSeals) return fail("its file is not sealed");
  const auto status = TRY(status_of(file.get(), "", AT_EMPTY_PATH));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0 || size > protocol::kMostExecBytes) return fail("its length is wrong");
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return fail(errno, "mmap");
  auto checked = check_message({static_cast<const char*>(memory), size});
  ::munmap(memory, size);
  return checked;
}

}  // namespace isolate
