#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>

namespace isolate {

std::string random_name() {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, 12> bytes{};
  // getrandom(2) promises that requests of up to 256 bytes are neither interrupted nor cut short once the kernel's
  // random number generator is initialised, so anything else means a broken system.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string name;
  for (auto byte : bytes) name += kAlphabet[byte % 32];
  return name;
}

}  // namespace isolate
