// Shared by the fuzz targets: how a property is stated, and the property that each error must keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/result.h"

namespace isolate::fuzz {

// Ends the run with a finding; libFuzzer keeps the input. tools/fuzz.sh shows the line.
inline void expect(bool holds, const char* property, std::string_view seen = "") {
  if (holds) return;
  std::fprintf(stderr, "PROPERTY: %s (%.*s)\n", property, static_cast<int>(seen.size()), seen.data());
  std::abort();
}

inline bool has_control_bytes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next <= 0x9f)) return true;
  }
  return false;
}

// Messages go to terminals and logs, and must not control them, whatever was parsed.
inline void expect_printable(const Error& error) {
  const auto message = error.message();
  expect(!message.empty(), "an error says something");
  expect(!has_control_bytes(message), "an error's message has no control bytes", message);
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace isolate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
