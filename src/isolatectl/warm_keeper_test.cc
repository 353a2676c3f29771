#include "isolatectl/warm_keeper.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/testing.h"
#include "isolatectl/interruption.h"
#include "linux/process_table.h"

namespace isolate {
namespace {

using test::must;
using test::verify;

// In place of isolate --hold, a shell says that its guest is ready, and ends when the keeper shuts its socket down.
const std::vector<std::string> kHold = {"/bin/sh", "-c", "echo '{\"event\":\"ready\"}'; read -r line <&1"};

std::ptrdiff_t number_of_children() {
  const auto table = must(ProcessTable::read());
  return std::count_if(table.all().begin(), table.all().end(),
                       [](const auto& entry) { return entry.second.parent == ::getpid(); });
}

// The keeper asks each second whether memory is short. Then this looks at the guests, and goes on to its next step.
class Script {
 public:
  bool is_short_of_memory() {
    constexpr int kPatience = 30;
    if (number_of_children() == kExpected[step_] || ++waited_ == kPatience) {
      ++step_;
      if (step_ == kExpected.size() || waited_ == kPatience) ::raise(SIGTERM);
    }
    return step_ == 1;
  }
  bool has_ended() const { return step_ == kExpected.size(); }

 private:
  static constexpr std::array kExpected = {2, 0, 2};
  std::size_t step_ = 0;
  int waited_ = 0;
};

TEST(WarmKeeperTest, WhileMemoryIsShortGuestsEndAndNoneAreMade) {
  test::in_child([]() -> Result<void> {
    Script script;
    Interruption::catch_signals();
    auto keeper = TRY(WarmKeeper::make({kHold, 2, [] { return Result<std::uint64_t>(1); }, std::chrono::seconds(0),
                                        [&script] { return script.is_short_of_memory(); }}));
    TRY_VOID(keeper.run([] {}));
    return verify(script.has_ended(), "two guests, none, and two again");
  });
}

}  // namespace
}  // namespace isolate
