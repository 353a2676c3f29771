#include "isolatectl/desktop_entry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/plain_line.h"

namespace isolate {
namespace {

constexpr std::string_view kGroup = "[Desktop Entry]";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// A key consists of letters, digits and '-'. A locale in brackets may follow.
bool is_key(std::string_view key) {
  constexpr std::string_view kOfKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
  constexpr std::string_view kOfLocale = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_@.";
  const auto bracket = key.find('[');
  const auto name = key.substr(0, bracket);
  if (name.empty() || name.find_first_not_of(kOfKey) != std::string_view::npos) return false;
  if (bracket == std::string_view::npos) return true;
  const auto locale = key.substr(bracket + 1);
  return locale.size() > 1 && locale.find_first_not_of(kOfLocale) == locale.size() - 1 && locale.back() == ']';
}

// Undoes the escapes of a value. "\;" separates nothing in a list; it stays as it is.
Result<std::string> unescaped(std::string_view raw) {
  std::string value;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      value += raw[i];
      continue;
    }
    constexpr std::string_view kEscapes = "sntr\\;";
    constexpr std::string_view kMeanings[] = {" ", "\n", "\t", "\r", "\\", "\\;"};
    const auto escape = i + 1 < raw.size() ? kEscapes.find(raw[++i]) : std::string_view::npos;
    if (escape == std::string_view::npos) return fail("a value has an unknown escape");
    value += kMeanings[escape];
  }
  return value;
}

}  // namespace

Result<DesktopEntry> DesktopEntry::parse(std::string_view text) {
  if (text.size() > kMostBytes) return fail(EFBIG, "read the entry");
  DesktopEntry entry;
  bool is_in_group = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      if (is_in_group) break;
      if (line != kGroup) return fail("the entry does not begin with [Desktop Entry]");
      is_in_group = true;
      continue;
    }
    if (!is_in_group) return fail("the entry does not begin with [Desktop Entry]");
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = trimmed(line.substr(0, equals));
    if (is_key(key)) entry.values_[std::string(key)] = trimmed(line.substr(equals + 1));
  }
  if (!is_in_group) return fail("the entry has no group [Desktop Entry]");
  return entry;
}

const std::string* DesktopEntry::raw(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::string DesktopEntry::value(const std::string& key) const {
  const auto* found = raw(key);
  if (found == nullptr) return "";
  auto value = unescaped(*found);
  return value && text::is_plain_line(*value) ? std::move(*value) : "";
}

void DesktopEntry::set(const std::string& key, std::string_view value) {
  std::string escaped;
  // A reader removes blanks at the beginning of a value, so the first blank needs its escape.
  if (!value.empty() && value.front() == ' ') {
    escaped = "\\s";
    value.remove_prefix(1);
  }
  for (const char c : value) escaped += c == '\\' ? "\\\\" : std::string(1, c);
  if (!escaped.empty() && escaped.back() == ' ') escaped.replace(escaped.size() - 1, 1, "\\s");
  values_[key] = std::move(escaped);
}

std::string DesktopEntry::text() const {
  std::string text = std::string(kGroup) + "\n";
  for (const auto& [key, value] : values_) text += fmt::format("{}={}\n", key, value);
  return text;
}

}  // namespace isolate
