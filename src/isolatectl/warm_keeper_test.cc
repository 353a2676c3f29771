#include "isolatectl/warm_keeper.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "base/testing.h"
#include "isolatectl/interruption.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

using test::must;
using test::verify;

// In place of isolate --hold, a shell says that its guest is ready, and ends when the keeper shuts its socket down.
const std::vector<std::string> kHold = {"/bin/sh", "-c", "echo '{\"event\":\"ready\"}'; read -r line <&1"};

std::set<pid_t> children() {
  std::set<pid_t> found;
  const auto table = must(ProcessTable::read());
  for (const auto& [pid, info] : table.all()) {
    if (info.parent == ::getpid()) found.insert(pid);
  }
  return found;
}

// The keeper asks each second whether memory is short. Then this looks at the guests, and goes on to its next step.
class Script {
 public:
  bool is_short_of_memory() {
    constexpr int kPatience = 30;
    const auto guests = children();
    if (guests.size() == kExpected[step_]) {
      if (step_ == 0) first_ = guests;
      if (step_ == 1) oldest_went_first_ = *guests.begin() == *first_.rbegin();
      ++step_;
    }
    if (has_ended() || ++waited_ == kPatience) ::raise(SIGTERM);
    return step_ == 1 || step_ == 2;
  }
  bool has_ended() const { return step_ == kExpected.size(); }
  bool oldest_went_first() const { return oldest_went_first_; }

 private:
  static constexpr std::array<std::size_t, 4> kExpected = {2, 1, 0, 2};
  std::size_t step_ = 0;
  int waited_ = 0;
  std::set<pid_t> first_;  // the two guests, the older one first
  bool oldest_went_first_ = false;
};

TEST(WarmKeeperTest, WhileMemoryIsShortGuestsEndAndNoneAreMade) {
  test::in_child([]() -> Result<void> {
    Script script;
    Interruption::catch_signals();
    auto keeper = TRY(WarmKeeper::make({kHold, 2, [] { return Result<std::string>("1"); }, std::chrono::seconds(0),
                                        [&script](bool) { return script.is_short_of_memory(); }}));
    TRY_VOID(keeper.run([] {}));
    TRY_VOID(verify(script.has_ended(), "two guests, one, none, and two again"));
    return verify(script.oldest_went_first(), "the oldest goes first");
  });
}

}  // namespace
}  // namespace isolate
