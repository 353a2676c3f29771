// isolate [options] COMMAND [ARG...]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/log.h"
#include "base/trace.h"
#include "isolate/options.h"
#include "run/run.h"

namespace {

// Descriptors 0 to 2 that the caller has closed would be taken by files of ours.
void open_standard_descriptors() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0 || fd > STDERR_FILENO) {
      if (fd > STDERR_FILENO) ::close(fd);
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  auto options = isolate::parse_options(argc, argv);
  if (!options) {
    isolate::log::error(options.error().message());
    return 125;
  }
  if (options->help) return ::fputs(isolate::help_text().c_str(), stdout) < 0 ? 125 : 0;
  if (options->version) return ::puts("isolate " ISOLATE_VERSION) < 0 ? 125 : 0;
  isolate::log::set_up("isolate", options->quiet);
  if (options->trace) isolate::trace::enable();
  return isolate::run(options->request);
}
