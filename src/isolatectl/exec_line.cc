#include "isolatectl/exec_line.h"

#include <fmt/format.h>

#include <optional>

#include "base/plain_line.h"
#include "base/text.h"

namespace isolate {
namespace {

// These characters must be escaped between quotes.
constexpr std::string_view kEscaped = "\"`$\\";

std::string quoted_word(std::string_view argument) {
  // The specification names the characters that need quotes. Programs that start .desktop files treat some more as
  // special, so everything but these gets quotes.
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@+=:,./-";
  const bool is_plain = !argument.empty() && argument.find_first_not_of(kPlain) == std::string_view::npos;
  if (is_plain) return std::string(argument);
  std::string out = "\"";
  for (const char c : argument) {
    if (kEscaped.find(c) != std::string_view::npos) out += '\\';
    out += c;
    if (c == '%') out += c;
  }
  return out + "\"";
}

// Reads one word after another.
class Reader {
 public:
  explicit Reader(std::string_view line) : rest_(line) {}

  // Returns nothing at the end of the line.
  Result<std::optional<std::string>> next() {
    while (!rest_.empty()) {
      rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
      if (rest_.empty()) break;
      has_text_ = false;
      word_.clear();
      TRY_VOID(rest_.front() == '"' ? read_quoted() : read_plain());
      // A word that is only a field code stands for no word.
      if (has_text_) return std::optional(word_);
    }
    return std::optional<std::string>();
  }

 private:
  Result<void> read_quoted() {
    has_text_ = true;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char c = take();
      if (c == '"') {
        if (!rest_.empty() && rest_.front() != ' ') return fail("text follows a quoted argument");
        return {};
      }
      if (c == '%') {
        read_code();
        continue;
      }
      if (c == '\\') {
        if (rest_.empty() || kEscaped.find(rest_.front()) == std::string_view::npos) break;
        c = take();
      }
      word_ += c;
    }
    return fail("a quoted argument is malformed");
  }

  Result<void> read_plain() {
    while (!rest_.empty() && rest_.front() != ' ') {
      const char c = take();
      if (c == '%') {
        read_code();
      } else {
        has_text_ = true;
        word_ += c;
      }
    }
    return {};
  }

  // Reads what follows a '%'.
  void read_code() {
    if (rest_.empty()) return;
    if (take() == '%') {
      has_text_ = true;
      word_ += '%';
      return;
    }
    // An unknown code may be a character of several bytes. A part of it would leave the word without valid UTF-8.
    while (!rest_.empty() && (static_cast<unsigned char>(rest_.front()) & 0xc0U) == 0x80U) rest_.remove_prefix(1);
  }

  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::string_view rest_;
  std::string word_;
  bool has_text_ = false;
};

}  // namespace

Result<std::string> exec_line(const std::vector<std::string>& command) {
  std::vector<std::string> words;
  for (const auto& argument : command) {
    if (!text::is_plain_line(argument)) {
      return fail(fmt::format("argument '{}' can't stand in a .desktop file: it is not a line of printable UTF-8 text",
                              text::printable(argument.substr(0, 60))));
    }
    words.push_back(quoted_word(argument));
  }
  if (!command.empty() && command.front().find('=') != std::string::npos) {
    return fail(fmt::format("'{}' can't be started by a .desktop file, because it contains '='", command.front()));
  }
  return text::join(words, " ");
}

Result<std::vector<std::string>> words_of_exec_line(std::string_view line) {
  std::vector<std::string> words;
  Reader reader(line);
  while (auto word = TRY(reader.next())) words.push_back(std::move(*word));
  return words;
}

}  // namespace isolate
