#include "base/result.h"

#include <cstdlib>
#include <cstring>

namespace isolate {

std::string Error::message() const {
  std::string text = context_;
  if (code_ != 0) text += std::string(": ") + ::strerror(code_);
  if (!advice_.empty()) text += "; " + advice_;
  return text;
}

// CODE, LENGTH of the context, a line each, then context and advice.
std::string Error::packed() const {
  return std::to_string(code_) + '\n' + std::to_string(context_.size()) + '\n' + context_ + advice_;
}

Error Error::from_packed(const std::string& text) {
  const auto first = text.find('\n');
  const auto second = first == std::string::npos ? first : text.find('\n', first + 1);
  if (second == std::string::npos) return Error(text);
  const auto length = static_cast<std::size_t>(std::atoll(text.c_str() + first + 1));
  Error error(std::atoi(text.c_str()), text.substr(second + 1, length));
  if (second + 1 + length < text.size()) error.advice_ = text.substr(second + 1 + length);
  return error;
}

}  // namespace isolate
