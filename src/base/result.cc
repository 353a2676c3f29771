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

std::string Error::packed() const { return std::to_string(code_) + '\n' + context_ + '\n' + advice_; }

Error Error::from_packed(const std::string& text) {
  const auto first = text.find('\n');
  const auto second = text.find('\n', first + 1);
  if (first == std::string::npos || second == std::string::npos) return Error(text);
  Error error(std::atoi(text.c_str()), text.substr(first + 1, second - first - 1));
  error.advice_ = text.substr(second + 1);
  return error;
}

}  // namespace isolate
