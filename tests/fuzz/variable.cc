// NAME=VALUE or NAME:VALUE, the value of -v. An accepted variable is one of environ(7), keeps its value byte for byte,
// and is read as itself again.
#include <cstdint>

#include "fuzz.h"
#include "request/request.h"

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  const auto variable = parse_variable(text);
  if (!variable) {
    fuzz::expect_printable(variable.error());
    return 0;
  }
  const auto name = variable->substr(0, variable->find('='));
  fuzz::expect(name.size() < variable->size() && !name.empty(), "a variable has a name and a '='", *variable);
  fuzz::expect(
      name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
          (name[0] < '0' || name[0] > '9'),
      "a name is letters, digits and '_', and begins with no digit", name);
  fuzz::expect(text.starts_with(name) && text.substr(name.size() + 1) == variable->substr(name.size() + 1),
               "a value is kept as it is", *variable);
  const auto again = parse_variable(*variable);
  fuzz::expect(again && *again == *variable, "a variable is read as itself again", *variable);
  return 0;
}
