#include "base/log.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/text.h"

namespace isolate::log {
namespace {
std::string program_name = "isolate";
bool is_quiet = false;

bool use_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return (no_colour == nullptr || *no_colour == 0) && stderr_is_terminal();
}

void print(const char* colour, std::string_view kind, std::string_view message) {
  std::string out = program_name + ": ";
  if (!kind.empty()) {
    if (use_colour()) out += colour;
    out += kind;
    if (use_colour()) out += "\033[0m";
    out += ": ";
  }
  out += text::printable(message);
  out += '\n';
  // If stderr can't be written to, there is no other place to report that, so the message is lost.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, out.data(), out.size());
}
}  // namespace

void set_up(std::string_view program, bool quiet) {
  program_name = program;
  is_quiet = quiet;
}

void error(std::string_view message) { print("\033[1;31m", "error", message); }
void warning(std::string_view message) { print("\033[1;33m", "warning", message); }
void info(std::string_view message) {
  if (!is_quiet) print("", "", message);
}

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

}  // namespace isolate::log
