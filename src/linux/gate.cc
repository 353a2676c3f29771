#include "linux/gate.h"

#include <unistd.h>

#include "linux/file.h"

namespace isolate {

Result<Gate> Gate::make() {
  auto pipe = TRY(make_pipe("child"));
  return Gate(std::move(pipe.read), std::move(pipe.write));
}

bool Gate::wait_to_go() {
  write_.reset();
  char byte = 0;
  ssize_t got = -1;
  do {
    got = ::read(read_.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

void Gate::release() const {
  const char byte = 0;
  [[maybe_unused]] auto written = ::write(write_.get(), &byte, 1);
}

}  // namespace isolate
