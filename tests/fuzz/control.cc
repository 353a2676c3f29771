// Messages of the guest's side over the control socket and the report pipe, to a whole Supervisor with a launcher that
// has already ended. Input: a byte of options, a byte with the length of the report, the report, then messages. Each
// message follows a byte with its length in the lower half and, in bit 4, whether a descriptor comes with it. Whatever
// the messages are, the outcome is the one that the first complete messages report.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz.h"
#include "linux/socket.h"
#include "supervise/supervisor.h"
#include "wire/init_protocol.h"

namespace {
int stops = 0;
}

// The supervisor stops itself when its command is stopped. The fuzzer only counts that. Nothing else here raises.
extern "C" int raise(int signal) noexcept {
  isolate::fuzz::expect(signal == SIGSTOP, "a guest makes isolate raise nothing but SIGSTOP");
  ++stops;
  return 0;
}

namespace isolate::fuzz {
namespace {

using protocol::Kind;
using protocol::Message;

struct Packet {
  std::string_view bytes;
  bool with_descriptor = false;
};

struct Script {
  SupervisorOptions options;
  std::string_view report;
  std::vector<Packet> packets;
};

std::string_view take(std::string_view* input, std::size_t length) {
  const auto taken = input->substr(0, length);
  input->remove_prefix(taken.size());
  return taken;
}

unsigned take_byte(std::string_view* input) {
  const auto taken = take(input, 1);
  return taken.empty() ? 0U : static_cast<unsigned char>(taken[0]);
}

Script script_of(std::string_view input) {
  constexpr std::size_t kMostPackets = 32;  // these surely fit into the socket's buffer
  Script script;
  const auto options = take_byte(&input);
  script.options.ignore_interrupt = (options & 1U) != 0;
  script.options.own_terminal = (options & 2U) != 0;
  script.report = take(&input, take_byte(&input));
  while (!input.empty() && script.packets.size() < kMostPackets) {
    const auto head = take_byte(&input);
    script.packets.push_back({take(&input, head & 15U), (head & 16U) != 0});
  }
  return script;
}

// What a supervisor must make of a script.
struct Expected {
  std::vector<pid_t> started;
  int stops = 0;
  RunOutcome outcome;
};

Expected expected_of(const Script& script) {
  Expected expected;
  pid_t command = -1;
  for (const auto& packet : script.packets) {
    if (packet.bytes.empty()) break;  // an empty message is the end of the connection
    Message message{};
    if (packet.bytes.size() != sizeof message) continue;  // from another version, or garbage
    std::memcpy(&message, packet.bytes.data(), sizeof message);
    if (message.kind == Kind::pid && command < 0) command = ::getpid();
    if (message.kind == Kind::started && expected.started.empty()) expected.started.push_back(command);
    if (message.kind == Kind::stopped && !expected.started.empty()) ++expected.stops;
    if (message.kind == Kind::ended && !expected.outcome.ended) {
      expected.outcome.ended = ExitStatus::from_wait_status(message.value);
    }
    if (message.kind == Kind::failed) expected.outcome.exec_error = message.value;
    if (message.kind == Kind::no_directory) expected.outcome.directory_error = message.value;
    if (message.kind == Kind::no_setup) expected.outcome.setup_error = message.value;
    if (message.kind == Kind::no_user) expected.outcome.user_error = message.value;
  }
  return expected;
}

void send_packet(int socket, const Packet& packet) {
  static const Fd kNothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto descriptors = packet.with_descriptor ? std::vector<int>{kNothing.get()} : std::vector<int>();
  expect(send_message(socket, packet.bytes, descriptors).has_value(), "a packet can be sent");
}

// Returns a child that has ended but was not waited for.
ChildProcess ended_child() {
  const pid_t pid = ::vfork();
  if (pid == 0) ::_exit(0);
  expect(pid > 0, "a child can be made");
  return {pid, Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
}

void expect_outcome(const Expected& expected, const Result<RunOutcome>& outcome) {
  const auto& wanted = expected.outcome;
  const bool has_error =
      wanted.exec_error != 0 || wanted.directory_error != 0 || wanted.setup_error != 0 || wanted.user_error != 0;
  if (!has_error && !wanted.ended && expected.started.empty()) {
    expect(!outcome, "if the command has not started, the report or the engine's end is the error");
    return;
  }
  expect(outcome.has_value(), "what was said of the command is the outcome, whatever else was reported");
  expect(outcome->exec_error == wanted.exec_error && outcome->directory_error == wanted.directory_error &&
             outcome->setup_error == wanted.setup_error,
         "an error is the last one told");
  if (has_error) return;
  expect(outcome->ended.has_value(), "a run that is over has an end");
  const auto end = wanted.ended.value_or(ExitStatus{true, SIGKILL});
  expect(outcome->ended->describe() == end.describe(), "the end is the first one told, or SIGKILL",
         outcome->ended->describe());
  expect(outcome->ended->shell_code() >= 0 && outcome->ended->shell_code() <= 255, "a shell's code fits a byte",
         outcome->ended->describe());
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto script = fuzz::script_of(fuzz::as_text(data, size));
  const auto expected = fuzz::expected_of(script);
  auto supervisor = Supervisor::make(script.options);
  fuzz::expect(supervisor.has_value(), "a supervisor can be made");
  for (const auto& packet : script.packets) fuzz::send_packet(supervisor->guest_control().get(), packet);
  const auto written = ::write(supervisor->report_writer().get(), script.report.data(), script.report.size());
  fuzz::expect(written == static_cast<ssize_t>(script.report.size()), "the report can be written");

  stops = 0;
  std::vector<pid_t> started;
  const auto outcome = supervisor->wait(fuzz::ended_child(), [&](pid_t pid) { started.push_back(pid); });
  fuzz::expect(started == expected.started, "the start is told once, with the pid that the kernel vouches for");
  // isolate does not stop if the command has continued, or has sent something else, since.
  fuzz::expect(stops <= expected.stops, "isolate stops with a command that has started, and only then");
  fuzz::expect_outcome(expected, outcome);
  return 0;
}
