// A set of capabilities, and their names as in capabilities(7).
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
  // The capabilities that Docker gives a container by default.
  static CapabilitySet docker_default();

  // Parses a comma-separated list of names, with or without "CAP_", in upper or lower case; ALL stands for every
  // capability. Errors: plain text that names the unknown capability.
  static Result<CapabilitySet> parse(std::string_view list);

  void add(const CapabilitySet& other) { bits_ |= other.bits_; }
  void drop(const CapabilitySet& other) { bits_ &= ~other.bits_; }
  bool has(int number) const { return (bits_ >> number & 1U) != 0; }
  // The names with "CAP_", in the order of their numbers.
  std::vector<std::string> names() const;
  // Bit N is capability N, as in /proc/PID/status.
  std::uint64_t mask() const { return bits_; }
  bool operator==(const CapabilitySet&) const = default;

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace isolate
