#include "share/x_helper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/text.h"
#include "base/trace.h"
#include "linux/own_program.h"
#include "linux/signal_reset.h"
#include "linux/socket.h"

namespace isolate {
namespace {

constexpr const char* kProgram = "isolate-x11";
constexpr std::array<std::string_view, 3> kKinds = {"check", "untrusted", "nested"};

// A new server needs a second on a busy machine; one that needs this long hangs.
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

// Becomes isolate-x11. It gets no variables: the caller's may name another server, and a secret has no place there. It
// has a session of its own, so that a key that interrupts the command does not end it first.
int become_helper(int program, int control) {
  constexpr int kProgramHere = 3;
  constexpr int kNotExecuted = 127;
  // Not SIGKILL: isolate-x11 has something to undo when isolate is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setsid();
  reset_signals();
  const int moved = ::fcntl(program, F_DUPFD_CLOEXEC, kProgramHere);
  if (moved < 0 || ::dup2(control, kXHelperControl) < 0) return kNotExecuted;
  if (moved != kProgramHere && ::dup3(moved, kProgramHere, O_CLOEXEC) < 0) return kNotExecuted;
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, STDOUT_FILENO) < 0) return kNotExecuted;
  ::syscall(SYS_close_range, kProgramHere + 1, ~0U, 0);
  std::string name = kProgram;
  std::array<char*, 2> arguments = {name.data(), nullptr};
  std::array<char*, 1> environment = {nullptr};
  ::execveat(kProgramHere, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  return kNotExecuted;
}

bool wait_for(int descriptor, int patience) {
  pollfd end{descriptor, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&end, 1, patience);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
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
  const auto program = TRY(open_own_program(kProgram));
  int ends[2];
  TRY(trace::check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair", kProgram));
  Fd own(ends[0]);
  Fd other(ends[1]);
  std::vector<int> descriptors;
  for (const auto& connection : connections) descriptors.push_back(connection.get());
  TRY_VOID(send_message(own.get(), packed(task), descriptors));
  XHelper helper(TRY(fork_child(0, [&] { return become_helper(program.get(), other.get()); })), std::move(own));
  other.reset();  // so that the end of isolate-x11 shows as the end of the connection
  TRY_VOID(helper.wait_for_answer());
  return helper;
}

Result<void> XHelper::wait_for_answer() {
  if (!wait_for(control_.get(), kPatience)) return fail(fmt::format("{} does not answer", kProgram));
  auto received = TRY(receive_message(control_.get(), kLongestXMessage));
  if (received.bytes.empty()) return fail(fmt::format("{} ended with {}", kProgram, TRY(process_.wait()).describe()));
  cookie_ = TRY(unpacked_answer(received.bytes));
  if (!received.descriptors.empty()) socket_ = std::move(received.descriptors.front());
  return {};
}

XHelper::~XHelper() {
  // Not only close it, because another child of isolate may still have a copy of this end.
  if (control_) ::shutdown(control_.get(), SHUT_RDWR);
  // ChildProcess kills it if it takes longer. Then the server forgets the cookie by itself, a few seconds later.
  if (process_.running()) wait_for(process_.pidfd(), kPatienceAtEnd);
}

}  // namespace isolate
