// Texts in a message, each terminated by a zero byte.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace isolate::wire {

// Appends a text. One that holds a zero byte ends there.
inline void add_text(const std::string& text, std::string* message) { message->append(text.c_str(), text.size() + 1); }

// Removes a text and its terminating zero byte from the front of `rest`, and returns the text.
inline Result<std::string_view> cut_text(std::string_view* rest) {
  const auto end = rest->find('\0');
  if (end == std::string_view::npos) return fail("a text has no terminating zero byte");
  const auto text = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  return text;
}

}  // namespace isolate::wire
