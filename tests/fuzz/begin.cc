// What a run sends to the isolate of a warm guest. A message that is accepted holds nothing but the request that is
// read from it.
#include <cstdint>

#include "fuzz.h"
#include "warm/begin_request.h"

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = fuzz::as_text(data, size);
  const auto request = begin_request_from(message);
  if (!request) {
    fuzz::expect_printable(request.error());
    return 0;
  }
  fuzz::expect(!request->command.empty() && !request->command[0].empty(), "there is a command");
  const auto again = to_message(*request);
  fuzz::expect(again && *again == message, "what was read makes the same message");
  return 0;
}
