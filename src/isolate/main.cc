// isolate [options] COMMAND [ARG...]
#include <cstdio>

#include "base/log.h"
#include "base/trace.h"
#include "isolate/options.h"
#include "linux/signal_reset.h"
#include "linux/stream.h"
#include "run/run.h"

namespace {

constexpr const char* kShortUsage =
    "usage: isolate [options] COMMAND [ARG...]\n\n"
    "  isolatectl template create debian --from debian:bookworm   makes a template\n"
    "  isolate -z debian bash                                     runs a command in a fresh clone of it\n\n"
    "isolate --help lists the options; man isolate explains them.\n";

int print(const std::string& text) {
  if (::fputs(text.c_str(), stdout) >= 0 && ::fflush(stdout) == 0) return 0;
  isolate::log::error(isolate::Error(errno, "write to standard output").message());
  return 125;
}

}  // namespace

int main(int argc, char** argv) {
  isolate::open_standard_descriptors();
  isolate::survive_file_size_limit();
  if (argc <= 1) {
    ::fputs(kShortUsage, stderr);
    return 125;
  }
  auto options = isolate::parse_options(argc, argv);
  if (!options) {
    isolate::log::error(options.error().message());
    return 125;
  }
  if (options->help) return print(isolate::help_text());
  if (options->version) return print("isolate " ISOLATE_VERSION "\n");
  isolate::log::set_up("isolate", options->quiet);
  if (options->trace) isolate::trace::enable();
  for (const auto& warning : options->warnings) isolate::log::warning(warning);
  return options->refresh ? isolate::refresh(*options->refresh) : isolate::run(options->request);
}
