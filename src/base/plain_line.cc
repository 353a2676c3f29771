#include "base/plain_line.h"

#include <cstddef>
#include <cstdint>

namespace isolate::text {
namespace {

// Takes the first character off the text and returns its number. Returns 0 if the text does not begin with a character
// of UTF-8 in its shortest form.
std::uint32_t take_character(std::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  const std::size_t length = first < 0x80 ? 1 : (first >> 5) == 0x6 ? 2 : (first >> 4) == 0xe ? 3 : 4;
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (text->size() < length || (length == 4 && (first >> 3) != 0x1e)) return 0;
  std::uint32_t character = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>((*text)[i]);
    if ((byte >> 6) != 0x2) return 0;
    character = (character << 6) | (byte & 0x3fU);
  }
  text->remove_prefix(length);
  const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
  return character < kLeast[length] || character > 0x10ffff || is_surrogate ? 0 : character;
}

}  // namespace

bool is_plain_line(std::string_view text) {
  while (!text.empty()) {
    const auto character = take_character(&text);
    const bool is_control = character < 0x20 || (character >= 0x7f && character <= 0x9f);
    const bool is_separator_or_override = character >= 0x2028 && character <= 0x202e;
    const bool is_isolate = character >= 0x2066 && character <= 0x2069;
    if (is_control || is_separator_or_override || is_isolate) return false;
  }
  return true;
}

}  // namespace isolate::text
