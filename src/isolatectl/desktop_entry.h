// Desktop entries, the files from which a desktop makes its menu (Desktop Entry Specification), and their icons. A
// template's files are input from somebody else: isolate takes only texts from them that can't start anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// What a template's desktop entry says of a program. All texts are checked: they have no control characters, are UTF-8
// and at most 256 bytes long. A text that is not like that is left out.
struct EntryTexts {
  std::vector<std::pair<std::string, std::string>> texts;  // Name, Name[de], Comment, ...: key and value as in the file
  std::string categories;                                  // registered ones, each with a semicolon
  std::string icon;                                        // a name, or a path in the template; empty: none
  bool terminal = false;
};

// Looks in the text of one or more desktop entries for the one that starts `program`, the last part of a path.
std::optional<EntryTexts> find_entry(std::string_view files, const std::string& program);

// Returns the words as a value of the key Exec. Errors: plain text: a word has a control character, which the form
// can't express.
Result<std::string> exec_value(const std::vector<std::string>& words);
// Returns the text as a value of a key of type string.
std::string string_value(std::string_view text);

// The kind of a picture, told by its content: "png" or "svg". Errors: plain text: it is neither; it is too large; an
// SVG defines entities or refers to other files.
Result<std::string> icon_kind(std::string_view content);
constexpr std::size_t kMostIconBytes = 512 << 10;

}  // namespace isolate
