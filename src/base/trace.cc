#include "base/trace.h"

#include <unistd.h>

#include <cstring>

#include "base/text.h"

namespace isolate::trace {
namespace {
bool is_enabled = false;
}

void enable() { is_enabled = true; }
bool enabled() { return is_enabled; }

void line(std::string_view text) {
  if (!is_enabled) return;
  std::string out = "+ ";
  out += text::printable(text);
  out += '\n';
  // A trace line that can't be written is lost: the run matters more than its trace.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, out.data(), out.size());
}

Result<long> check(long returned, const char* call, std::string_view subject) {
  const int code = returned < 0 ? errno : 0;
  if (is_enabled) {
    std::string text = std::string(call) + " " + std::string(subject) + " = ";
    text += code == 0 ? std::to_string(returned) : std::string("-1 ") + ::strerror(code);
    line(text);
  }
  if (code != 0) return fail(code, std::string(call) + " " + std::string(subject));
  return returned;
}

}  // namespace isolate::trace
