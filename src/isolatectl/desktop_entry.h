// DesktopEntry: the keys in the group [Desktop Entry] of a .desktop file, as the Desktop Entry Specification 1.5
// defines them. Reads the files of templates, which may be hostile, and writes isolatectl's own.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace isolate {

class DesktopEntry {
 public:
  static constexpr std::size_t kMostBytes = 256 << 10;

  // Ignores comments, other groups, and lines that are neither. If a key appears twice the last one counts, as it does
  // for GLib and KDE. Errors: the text is longer than kMostBytes; its first group is not [Desktop Entry].
  static Result<DesktopEntry> parse(std::string_view text);

  // Returns the value as it stands in the file, or null if there is no such key. `key` may have a locale: Name[de].
  const std::string* raw(const std::string& key) const;
  // Returns the value without escapes. It is empty if there is no such key, if an escape is malformed, or if the value
  // is not a plain line (text::is_plain_line).
  std::string value(const std::string& key) const;
  const std::map<std::string, std::string>& all() const { return values_; }

  // `value` is a plain line.
  void set(const std::string& key, std::string_view value);
  // `value` has its escapes already.
  void set_raw(const std::string& key, std::string value) { values_[key] = std::move(value); }
  void remove(const std::string& key) { values_.erase(key); }

  // Returns the content of the file.
  std::string text() const;

 private:
  std::map<std::string, std::string> values_;  // as they stand in the file
};

}  // namespace isolate
