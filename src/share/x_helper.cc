#include "share/x_helper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/own_program.h"
#include "linux/process.h"
#include "linux/socket.h"

namespace isolate {
namespace {

constexpr const char* kProgram = "isolate-x11";
constexpr std::array<std::string_view, 3> kKinds = {"check", "untrusted", "nested"};

// A new server needs a second on a busy machine. A server that needs longer than this hangs.
constexpr int kPatience = 20'000;      // milliseconds
constexpr int kPatienceAtEnd = 3'000;  // milliseconds

constexpr char kGood = '+';
constexpr char kBad = '-';

constexpr std::size_t kFields = 8;

Result<std::uint32_t> id_of(const std::string& field) {
  return static_cast<std::uint32_t>(TRY(text::number(field, "id", 0, UINT32_MAX)));
}

Result<XTask::Kind> kind_of(std::string_view name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] == name) return static_cast<XTask::Kind>(i);
  }
  return fail("malformed task");
}

}  // namespace

std::string packed(const XTask& task) {
  std::string message(kKinds[static_cast<std::size_t>(task.kind)]);
  const std::vector<std::string> fields = {task.socket,
                                           task.program,
                                           task.title,
                                           std::to_string(task.number),
                                           std::to_string(task.uid),
                                           std::to_string(task.gid),
                                           task.cookie.kind};
  for (const auto& field : fields) {
    message += '\0';
    message += field;
  }
  // The cookie's bytes come last, because any byte may be among them.
  return message + '\0' + task.cookie.bytes;
}

Result<XTask> unpacked(std::string_view message) {
  std::vector<std::string> fields;
  while (fields.size() < kFields) {
    const auto end = message.find('\0');
    if (end == std::string_view::npos) return fail("malformed task");
    fields.emplace_back(message.substr(0, end));
    message.remove_prefix(end + 1);
  }
  XTask task;
  task.kind = TRY(kind_of(fields[0]));
  task.socket = fields[1];
  task.program = fields[2];
  task.title = fields[3];
  task.number = static_cast<unsigned>(TRY(text::number(fields[4], "display", 0, UINT16_MAX)));
  task.uid = TRY(id_of(fields[5]));
  task.gid = TRY(id_of(fields[6]));
  task.cookie = {fields[7], std::string(message)};
  return task;
}

std::string packed(const Result<XCookie>& answer) {
  if (!answer) return kBad + answer.error().packed();
  return kGood + answer->kind + '\0' + answer->bytes;
}

Result<XCookie> unpacked_answer(std::string_view message) {
  const auto end = message.find('\0');
  if (message.starts_with(kBad)) return fail(Error::from_packed(std::string(message.substr(1))));
  if (!message.starts_with(kGood) || end == std::string_view::npos) return fail("malformed answer");
  return XCookie{std::string(message.substr(1, end - 1)), std::string(message.substr(end + 1))};
}

Result<XHelper> XHelper::start(const XTask& task, const std::vector<Fd>& connections) {
  const auto program = TRY(find_own_program(kProgram));
  auto ends = TRY(connected_sockets(kProgram));
  auto own = std::move(ends[0]);
  auto other = std::move(ends[1]);
  std::vector<int> descriptors;
  for (const auto& connection : connections) descriptors.push_back(connection.get());
  TRY_VOID(send_message(own.get(), packed(task), descriptors));
  const auto null = TRY(open_file(AT_FDCWD, "/dev/null", O_RDWR));
  // Not SIGKILL, because isolate-x11 has to revoke the cookie when isolate is killed. It gets none of the caller's
  // variables, which may name another server or libraries.
  XHelper helper(TRY(spawn_tied({program}, {other.get(), null.get()}, SIGTERM, {"LANG=C"})), std::move(own));
  other.reset();  // so that isolate notices the end of isolate-x11 as the end of the connection
  TRY_VOID(helper.wait_for_answer());
  return helper;
}

Result<void> XHelper::wait_for_answer() {
  if (!TRY(wait_readable(control_.get(), kPatience))) return fail(fmt::format("{} does not answer", kProgram));
  auto received = TRY(receive_message(control_.get(), kLongestXMessage));
  if (received.bytes.empty()) return fail(fmt::format("{} ended with {}", kProgram, TRY(process_.wait()).describe()));
  cookie_ = TRY(unpacked_answer(received.bytes));
  if (!received.descriptors.empty()) socket_ = std::move(received.descriptors.front());
  return {};
}

XHelper::~XHelper() {
  // Closing it is not enough, because another child of isolate may still have a copy of this end.
  if (control_) ::shutdown(control_.get(), SHUT_RDWR);
  // If isolate-x11 takes longer, ChildProcess kills it, and the server forgets the cookie a few seconds later.
  if (process_.running()) [[maybe_unused]]
    auto ended = wait_readable(process_.pidfd(), kPatienceAtEnd);
}

}  // namespace isolate
