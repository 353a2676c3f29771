#include "isolatectl/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace isolate {
namespace {

constexpr unsigned kBarWidth = 24;

void write_stderr(const std::string& text) {
  // The work goes on even if its progress can't be shown, so an error is ignored.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Progress::Progress(std::string title, bool quiet)
    : title_(std::move(title)), quiet_(quiet), is_terminal_(log::stderr_is_terminal()) {}

Progress::~Progress() {
  if (!quiet_ && is_terminal_ && !last_.empty()) write_stderr("\r\033[K");
}

void Progress::show(unsigned percent, std::string_view what) {
  if (quiet_) return;
  percent_ = std::max(percent_, std::min(percent, 100U));
  const auto text = text::printable(what);
  if (is_terminal_) {
    const unsigned filled = percent_ * kBarWidth / 100;
    write_stderr(
        fmt::format("\r\033[K{} [{:<{}}] {:3}% {:.60}", title_, std::string(filled, '#'), kBarWidth, percent_, text));
  } else if (text != last_) {
    write_stderr(fmt::format("{}: {}\n", title_, text));
  }
  last_ = text;
}

}  // namespace isolate
