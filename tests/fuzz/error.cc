// Error::from_packed, on the content of the report pipe: reports of helpers, or any output of an engine. Nothing is
// lost and nothing is added, and an error that is packed again is read as the same.
#include "base/text.h"
#include "fuzz.h"

namespace isolate::fuzz {
namespace {

bool is_number(std::string_view line) {
  if (line.starts_with('-')) line.remove_prefix(1);
  return !line.empty() && line.find_first_not_of("0123456789") == std::string_view::npos;
}

// Context and advice together are the text, or the text without the two lines of numbers before it.
void expect_words_of(std::string_view text, std::string_view packed) {
  const auto words = packed.substr(packed.find('\n', packed.find('\n') + 1) + 1);
  expect(text.ends_with(words), "an error's words are those of the report", words);
  const auto head = text::split(text.substr(0, text.size() - words.size()), '\n');
  const bool is_whole_text = head.size() == 1 && head[0].empty();
  expect(is_whole_text || (head.size() == 3 && is_number(head[0]) && is_number(head[1]) && head[2].empty()),
         "of a report nothing is left out but its two numbers", text);
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
