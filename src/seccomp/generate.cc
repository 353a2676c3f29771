// A program that runs while isolate is built. It prints the built-in filters as a C++ header, so that no run of isolate
// has to compile them.
#include <linux/filter.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "seccomp/profile.h"

namespace {

using isolate::CapabilitySet;
namespace seccomp = isolate::seccomp;

bool print(const char* name, const seccomp::Profile& profile) {
  const auto filter = seccomp::compile(profile);
  if (!filter) {
    std::fprintf(stderr, "%s: %s\n", name, filter.error().message().c_str());
    return false;
  }
  std::printf("inline constexpr unsigned long long %s[] = {\n", name);
  for (std::size_t at = 0; at < filter->size(); at += sizeof(sock_filter)) {
    std::uint64_t instruction = 0;
    std::memcpy(&instruction, filter->data() + at, sizeof instruction);
    std::printf("0x%llxULL,\n", static_cast<unsigned long long>(instruction));
  }
  std::printf("};\n");
  return true;
}

}  // namespace

int main() {
  std::printf(
      "// Made by generate-filters. An instruction (sock_filter) is a number.\n#pragma once\n\nnamespace "
      "isolate::seccomp {\n");
  const bool printed = print("kTerminalFilter", seccomp::terminal_profile(false)) &&
                       print("kLeastFilter", seccomp::least_profile(false)) &&
                       print("kDefaultCallFilter", seccomp::call_profile(CapabilitySet::docker_default()));
  std::printf("}  // namespace isolate::seccomp\n");
  return printed && std::fflush(stdout) == 0 ? 0 : 1;
}
