#include "share/socket_relay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/socket.h"

namespace isolate {
namespace {

constexpr rlim_t kOwnDescriptors = 32;  // more than the relay has, not counting connections and what they pass
constexpr rlim_t kMostDescriptors = 4096;
constexpr std::size_t kLongestMessage = 4096;
constexpr const char* kServe = "serve";
constexpr const char* kEnd = "end";
constexpr int kPatience = 10'000;      // ms, until `prepare` has ended
constexpr int kTimeForTheRest = 1000;  // ms

rlim_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return std::min(limit.rlim_max, kMostDescriptors);
}

Result<RelayLimits> limits_for(std::size_t most_connections) {
  constexpr rlim_t kLeast = kOwnDescriptors + kMostInMessage + 2;
  const auto limit = descriptor_limit();
  if (limit < kLeast) {
    return fail(
        fmt::format("the limit of open files is {}, and at least {} are needed; raise it (ulimit -Hn)", limit, kLeast));
  }
  RelayLimits limits;
  limits.connections = std::min<std::size_t>(most_connections, (limit - kOwnDescriptors - kMostInMessage) / 2);
  limits.descriptors = limit - kOwnDescriptors - 2 * limits.connections;
  return limits;
}

// The relay's own process.
class RelayProcess {
 public:
  RelayProcess(Fd control, std::string target, RelayOptions options, const RelayLimits& limits)
      : control_(std::move(control)), target_(std::move(target)), options_(std::move(options)), limits_(limits) {}

  int run() {
    let_go_of_everything();
    auto order = wait_for_order();
    if (!order || order->descriptors.empty()) return 0;  // the run has ended before its root was complete
    auto descriptors = std::exchange(order->descriptors, {});
    auto listening = std::move(descriptors.front());
    descriptors.erase(descriptors.begin());
    if (options_.prepare && !prepare(std::exchange(descriptors, {}))) return 1;
    RelayLoop loop(std::move(listening), target_, control_.get(), limits_, options_.make_editor, options_.trusts_host);
    return loop.run() ? 0 : 1;
  }

 private:
  // The process must hold neither a lease nor a mount nor a directory, and be out of reach of the keys of a terminal.
  void let_go_of_everything() {
    ::setsid();
    [[maybe_unused]] const int moved = ::chdir("/");
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, number);
    close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, control_.get()});
  }

  Result<ReceivedMessage> wait_for_order() {
    TRY(wait_readable(control_.get(), -1));
    return receive_message(control_.get(), kLongestMessage);
  }

  bool prepare(std::vector<Fd> further) {
    auto prepared = options_.prepare(std::move(further));
    const auto answer = prepared ? std::string(kServe) : prepared.error().message();
    if (prepared) target_ = std::move(*prepared);
    return send_message(control_.get(), answer.substr(0, kLongestMessage)) && prepared;
  }

  Fd control_;
  std::string target_;
  RelayOptions options_;
  RelayLimits limits_;
};

// Limits the descriptors of the process to the connections and what they pass.
void set_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = descriptor_limit();
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<SocketRelay> SocketRelay::start(std::string target, RelayOptions options) {
  const auto limits = TRY(limits_for(options.most_connections));
  auto ends = TRY(connected_sockets("relay"));
  auto own = std::move(ends[0]);
  auto others = std::move(ends[1]);
  const bool prepares = options.prepare != nullptr;
  auto child = TRY(fork_child(0, [&] {
    own.reset();
    set_descriptor_limit();
    return RelayProcess(std::move(others), std::move(target), std::move(options), limits).run();
  }));
  return SocketRelay(std::move(child), std::move(own), prepares);
}

SocketRelay::~SocketRelay() {
  if (!child_.running()) return;
  // If either call fails, the process is killed at once.
  if (send_message(control_.get(), kEnd)) [[maybe_unused]]
    auto ended = wait_readable(child_.pidfd(), kTimeForTheRest);
}

Result<void> SocketRelay::serve(const Fd& listening, const std::vector<int>& further) const {
  std::vector<int> descriptors = {listening.get()};
  descriptors.insert(descriptors.end(), further.begin(), further.end());
  TRY_VOID(send_message(control_.get(), kServe, descriptors));
  if (!prepares_) return {};
  if (!TRY(wait_readable(control_.get(), kPatience))) return fail(ETIMEDOUT, "start of the relay");
  const auto answer = TRY(receive_message(control_.get(), kLongestMessage)).bytes;
  if (answer == kServe) return {};
  return fail(answer.empty() ? "the relay has ended" : answer);
}

}  // namespace isolate
