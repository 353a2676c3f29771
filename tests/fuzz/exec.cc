// A request for a further command in a guest, as the run's isolate gets it. isolate-init walks through an accepted
// message without checking it again. So there must be as many texts as the numbers say, they must end where the message
// ends, and to_message must make the same message of them.
#include <cstdint>
#include <cstring>

#include "fuzz.h"
#include "join/exec_request.h"
#include "wire/init_protocol.h"

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = fuzz::as_text(data, size);
  const auto checked = check_message(message);
  if (!checked) {
    fuzz::expect_printable(checked.error());
    return 0;
  }
  protocol::ExecSetup setup{};
  std::memcpy(&setup, message.data(), sizeof setup);
  // Use a copy that ends right after the texts, so that the sanitizer notices a step too far.
  const std::string copy(message.substr(sizeof setup));
  const char* text = copy.data();
  const auto take = [&text] {
    const std::string taken = text;
    text += taken.size() + 1;
    return taken;
  };
  ExecRequest request;
  request.own_terminal = setup.own_terminal != 0;
  request.own_error = setup.own_error != 0;
  request.signals = {setup.ignored_signals, setup.blocked_signals};
  request.directory = take();
  for (std::uint32_t i = 0; i < setup.arguments; ++i) request.command.push_back(take());
  for (std::uint32_t i = 0; i < setup.variables; ++i) request.variables.push_back(take());
  fuzz::expect(text == copy.data() + copy.size(), "the texts are the message");
  fuzz::expect(!request.command.empty(), "there is a command");
  const auto again = to_message(request);
  fuzz::expect(again && *again == message, "what was read makes the same message");
  return 0;
}
