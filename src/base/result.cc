#include "base/result.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace isolate {

std::string Error::message() const {
  std::string text = context_;
  if (code_ != 0) text += std::string(": ") + ::strerror(code_);
  if (!advice_.empty()) text += "; " + advice_;
  return text;
}

// Format: the code, a newline, the length of the context in bytes, a newline, the context, the advice.
std::string Error::packed() const {
  return std::to_string(code_) + '\n' + std::to_string(context_.size()) + '\n' + std::to_string(advice_.size()) + '\n' +
         context_ + advice_;
}

Error Error::from_packed(const std::string& text) {
  const auto first = text.find('\n');
  const auto second = first == std::string::npos ? first : text.find('\n', first + 1);
  const auto third = second == std::string::npos ? second : text.find('\n', second + 1);
  if (third == std::string::npos) return Error(text);
  const auto reads = [&text](std::size_t from, std::size_t to, auto* number) {
    const auto [rest, error] = std::from_chars(text.data() + from, text.data() + to, *number);
    return error == std::errc() && rest == text.data() + to;
  };
  int code = 0;
  std::size_t length = 0;
  std::size_t advice = 0;
  // The text did not come from packed(). It is the whole message, for example output of another program.
  if (!reads(0, first, &code) || !reads(first + 1, second, &length) || !reads(second + 1, third, &advice)) {
    return Error(text);
  }
  length = std::min(length, text.size() - (third + 1));  // a long packed text may have been truncated
  Error error(code, text.substr(third + 1, length));
  error.advice_ = text.substr(third + 1 + length, advice);
  return error;
}

}  // namespace isolate
