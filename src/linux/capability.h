// Capabilities as a set of numbers, by their names in capabilities(7) without the "CAP_".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

class CapabilitySet {
 public:
  static CapabilitySet none() { return {}; }
  static CapabilitySet all();
  // What Docker gives a container by default.
  static CapabilitySet docker_default();

  // A comma list of names, with or without "CAP_", in any case; or ALL. Errors: plain text that names the unknown one.
  static Result<CapabilitySet> parse(std::string_view list);

  void add(const CapabilitySet& other) { bits_ |= other.bits_; }
  void drop(const CapabilitySet& other) { bits_ &= ~other.bits_; }
  bool has(int number) const { return (bits_ >> number & 1U) != 0; }
  std::vector<std::string> names() const;
  std::uint64_t mask() const { return bits_; }
  bool operator==(const CapabilitySet&) const = default;

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace isolate
