#include "linux/reporting_child.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/socket.h"

namespace isolate {

Result<ReportingChild> ReportingChild::start(const std::function<Result<void>()>& body) {
  // Fits into a pipe's buffer, so that the child can end even if nobody reads its report.
  constexpr std::size_t kLongestReport = 32768;
  int ends[2];
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "report"));
  Fd reader(ends[0]);
  const Fd writer(ends[1]);
  auto process = TRY(fork_child(0, [&] {
    const auto outcome = body();
    if (outcome) return 0;
    // If the parent has closed its end, it still sees the exit status.
    [[maybe_unused]] auto written =
        write_all(writer.get(), outcome.error().packed().substr(0, kLongestReport), "report");
    return 125;
  }));
  return ReportingChild(std::move(process), std::move(reader));
}

Result<void> ReportingChild::report() const {
  const auto text = TRY(read_all(reader_.get()));
  if (!text.empty()) return fail(Error::from_packed(text));
  return {};
}

Result<void> ReportingChild::finish() {
  auto reported = report();
  const auto status = TRY(process_.wait());
  TRY_VOID(std::move(reported));
  if (!status.success()) return fail("a helper process ended with " + status.describe());
  return {};
}

Result<std::vector<Fd>> descriptors_from_child(const std::function<Result<std::vector<Fd>>()>& body) {
  auto ends = TRY(connected_sockets("descriptors"));
  const auto here = std::move(ends[0]);
  const auto there = std::move(ends[1]);
  auto child = TRY(ReportingChild::start([&]() -> Result<void> {
    const auto opened = TRY(body());
    std::vector<int> numbers;
    for (const auto& descriptor : opened) numbers.push_back(descriptor.get());
    return send_message(there.get(), "d", numbers);
  }));
  TRY_VOID(child.finish());
  return std::move(TRY(receive_message(here.get(), 1)).descriptors);
}

}  // namespace isolate
