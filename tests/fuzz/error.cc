// Error::from_packed, on the content of the report pipe: reports of helpers, or any output of an engine. Nothing is
// lost and nothing is added, and an error that is packed again is read as the same.
#include <cstdint>

#include "base/text.h"
#include "fuzz.h"

namespace isolate::fuzz {
namespace {

bool is_number(std::string_view line) {
  if (line.starts_with('-')) line.remove_prefix(1);
  return !line.empty() && line.find_first_not_of("0123456789") == std::string_view::npos;
}

constexpr int kNumbers = 3;

// Returns what follows the first three lines.
std::string_view behind_numbers(std::string_view text) {
  for (int i = 0; i < kNumbers; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text;
}

// Context and advice together are the text, or what follows its three lines of numbers.
void expect_words_of(std::string_view text, std::string_view packed) {
  const auto words = behind_numbers(packed);
  if (words == text) return;
  const auto rest = behind_numbers(text);
  expect(rest.starts_with(words), "an error's words are those of the report", words);
  const auto head = text::split(text.substr(0, text.size() - rest.size()), '\n');
  expect(head.size() == kNumbers + 1 && is_number(head[0]) && is_number(head[1]) && is_number(head[2]),
         "before the words a report has three numbers", text);
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::as_text(data, size));
  const auto error = Error::from_packed(text);
  const auto packed = error.packed();
  fuzz::expect_words_of(text, packed);
  const auto again = Error::from_packed(packed);
  fuzz::expect(again.code() == error.code() && again.context() == error.context() && again.message() == error.message(),
               "an error that is packed again is read as the same", packed);
  return 0;
}
