#include "warm/begin_request.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include "wire/texts.h"
#include "wire/warm_protocol.h"

namespace isolate {
namespace {

struct Header {
  std::uint64_t timeout;
  std::uint64_t ignored_signals;
  std::uint64_t blocked_signals;
  std::uint32_t umask;
  std::uint32_t words;
  std::uint32_t variables;
  std::uint32_t flags;  // Flag
};

enum Flag : std::uint32_t {
  kIgnoresInterrupt = 1,
  kTimings = 2,
  kSync = 4,
  kQuiet = 8,
  kLeadsSession = 16,
  kHasTerm = 32,
  kNextFlag = 64,
};

std::uint32_t flags_of(const BeginRequest& request) {
  std::uint32_t flags = 0;
  if (request.ignore_interrupt) flags |= kIgnoresInterrupt;
  if (request.timings) flags |= kTimings;
  if (request.sync) flags |= kSync;
  if (request.quiet) flags |= kQuiet;
  if (request.leads_session) flags |= kLeadsSession;
  if (request.term) flags |= kHasTerm;
  return flags;
}

Result<std::vector<std::string>> cut_texts(std::uint32_t count, std::string_view* rest) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < count; ++i) texts.emplace_back(TRY(wire::cut_text(rest)));
  return texts;
}

// The options of isolate have these forms too.
Result<void> check(const BeginRequest& request) {
  if (request.command.empty() || request.command[0].empty()) return fail("it has no command");
  if (!request.directory.empty() && request.directory.front() != '/') {
    return fail("the directory is not an absolute path");
  }
  for (const auto& variable : request.environment) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) return fail("a variable does not have the form NAME=VALUE");
  }
  return {};
}

constexpr std::uint64_t kMostTimeout = std::uint64_t{1} << 40;  // milliseconds; 34 years

}  // namespace

Result<std::string> to_message(const BeginRequest& request) {
  const Header header{request.timeout,
                      request.signals.ignored,
                      request.signals.blocked,
                      request.umask,
                      static_cast<std::uint32_t>(request.command.size()),
                      static_cast<std::uint32_t>(request.environment.size()),
                      flags_of(request)};
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  wire::add_text(request.profile, &message);
  wire::add_text(request.directory, &message);
  wire::add_text(request.term.value_or(""), &message);
  for (const auto* texts : {&request.command, &request.environment}) {
    for (const auto& text : *texts) wire::add_text(text, &message);
  }
  if (message.size() <= warm_protocol::kMostRequestBytes) return message;
  return fail(fmt::format("the command's arguments and environment variables are too long: {} bytes", message.size()));
}

Result<BeginRequest> begin_request_from(std::string_view message) {
  Header header{};
  if (message.size() < sizeof header) return fail("its length is wrong");
  std::memcpy(&header, message.data(), sizeof header);
  message.remove_prefix(sizeof header);
  BeginRequest request;
  request.profile = TRY(wire::cut_text(&message));
  request.directory = TRY(wire::cut_text(&message));
  const auto term = TRY(wire::cut_text(&message));
  if ((header.flags & kHasTerm) != 0) request.term = term;
  if (!request.term && !term.empty()) return fail("it has a TERM that it says it has not");
  request.command = TRY(cut_texts(header.words, &message));
  request.environment = TRY(cut_texts(header.variables, &message));
  TRY_VOID(check(request));
  if (!message.empty()) return fail("something follows after its end");
  request.timeout = header.timeout;
  if (request.timeout > kMostTimeout) return fail("the timeout is too long");
  if (header.umask > 0777 || header.flags >= kNextFlag) return fail("the umask or a flag is unknown");
  request.ignore_interrupt = (header.flags & kIgnoresInterrupt) != 0;
  request.timings = (header.flags & kTimings) != 0;
  request.sync = (header.flags & kSync) != 0;
  request.quiet = (header.flags & kQuiet) != 0;
  request.leads_session = (header.flags & kLeadsSession) != 0;
  request.umask = header.umask;
  request.signals = {header.ignored_signals, header.blocked_signals};
  return request;
}

bool BeginRequest::operator==(const BeginRequest& other) const {
  const auto fields = [](const BeginRequest& request) {
    return std::tie(request.profile, request.command, request.environment, request.directory, request.term,
                    request.timeout, request.umask, request.signals.ignored, request.signals.blocked);
  };
  return fields(*this) == fields(other) && flags_of(*this) == flags_of(other);
}

RunRequest request_for(const BeginRequest& begin, const RunRequest& guests) {
  auto request = guests;
  request.hold = false;
  request.command = begin.command;
  request.environment = begin.environment;
  request.working_directory = begin.directory;
  request.timeout = begin.timeout;
  request.ignore_interrupt = begin.ignore_interrupt;
  request.timings = begin.timings;
  request.sync = begin.sync;
  return request;
}

}  // namespace isolate
