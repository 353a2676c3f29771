#include "isolatectl/desktop_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"

namespace isolate {
namespace {

constexpr std::size_t kLongestText = 256;
constexpr const char* kHeader = "[Desktop Entry]";

// The registered main categories, without Audio and Video, which need AudioVideo beside them.
constexpr std::array kCategories = {"AudioVideo", "Development", "Education", "Game",   "Graphics", "Network",
                                    "Office",     "Science",     "Settings",  "System", "Utility"};
constexpr std::array kTextKeys = {"Name", "GenericName", "Comment", "Keywords"};

// Whether the text is UTF-8 without control characters. Overlong forms and surrogates are no UTF-8.
bool is_plain_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    const std::size_t more = byte < 0x80 ? 0 : byte >= 0xc2 && byte < 0xe0 ? 1 : byte >= 0xe0 && byte < 0xf0 ? 2 : 3;
    if (byte >= 0x80 && (byte < 0xc2 || byte > 0xf4)) return false;
    std::uint32_t value = byte & (0x7fU >> more);
    if (i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      value = value << 6 | (next & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = value >= 0xd800 && value < 0xe000;
    const bool is_control = value >= 0x80 && value < 0xa0;
    // These characters turn the direction of the text around them, so that it could show another name.
    const bool turns_text = (value >= 0x202a && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
    if (value < kLeast[more] || value > 0x10ffff || is_surrogate || is_control || turns_text) return false;
    i += more + 1;
  }
  return true;
}

// The name of a key without its locale in brackets, which must look like one.
std::optional<std::string> base_key(const std::string& key) {
  const auto bracket = key.find('[');
  if (bracket == std::string::npos) return key;
  const auto locale = std::string_view(key).substr(bracket + 1);
  constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-";
  if (locale.size() < 2 || locale.size() > 32 || locale.find_first_not_of(kLetters) != locale.size() - 1) return {};
  return locale.back() == ']' ? std::optional(key.substr(0, bracket)) : std::nullopt;
}

std::string known_categories(const std::string& value) {
  std::string categories;
  for (const auto& name : text::split(value, ';')) {
    const std::string main = name == "Audio" || name == "Video" ? "AudioVideo" : name;
    const bool is_known = std::find(kCategories.begin(), kCategories.end(), main) != kCategories.end();
    if (is_known && (";" + categories).find(";" + main + ";") == std::string::npos) categories += main + ";";
  }
  return categories;
}

// The name of the program that a value of Exec starts, without its directory. Programs with blanks in their names are
// not found.
std::string program_of(const std::string& exec) {
  auto word = exec.substr(0, exec.find(' '));
  if (word.size() > 1 && word.front() == '"' && word.back() == '"') word = word.substr(1, word.size() - 2);
  return word.substr(word.rfind('/') + 1);
}

struct Entry {
  EntryTexts texts;
  std::string program;
};

void read_line(const std::string& line, Entry* entry) {
  const auto equals = line.find('=');
  if (equals == std::string::npos || line.starts_with('#')) return;
  auto key = line.substr(0, equals);
  auto value = line.substr(equals + 1);
  while (key.ends_with(' ')) key.pop_back();
  value.erase(0, value.find_first_not_of(' '));
  if (value.size() > kLongestText && key != "Exec") return;
  if (!is_plain_text(value)) return;
  const auto base = base_key(key);
  if (key == "Exec") entry->program = program_of(value);
  if (key == "Icon") entry->texts.icon = value;
  if (key == "Terminal") entry->texts.terminal = value == "true";
  if (key == "Categories") entry->texts.categories = known_categories(value);
  if (!base || std::find(kTextKeys.begin(), kTextKeys.end(), *base) == kTextKeys.end()) return;
  const auto is_same = [&key](const auto& text) { return text.first == key; };
  auto& texts = entry->texts.texts;
  if (std::none_of(texts.begin(), texts.end(), is_same)) texts.emplace_back(std::move(key), std::move(value));
}

}  // namespace

std::optional<EntryTexts> find_entry(std::string_view files, const std::string& program) {
  std::optional<Entry> entry;
  // A last header, so that the last entry is looked at in the loop as well.
  auto lines = text::split(files, '\n');
  lines.emplace_back(kHeader);
  for (auto& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
    if (line == kHeader) {
      const auto& found = entry ? entry->texts.texts : decltype(entry->texts.texts)();
      const auto has_name = std::any_of(found.begin(), found.end(), [](const auto& t) { return t.first == "Name"; });
      if (entry && has_name && entry->program == program) return std::move(entry->texts);
      entry.emplace();
    } else if (line.starts_with('[')) {
      // Another group, such as that of an action, which has commands of its own. Its lines must not be taken for those
      // of the entry.
      if (entry && entry->program == program && !entry->texts.texts.empty()) return std::move(entry->texts);
      entry.reset();
    } else if (entry) {
      read_line(line, &*entry);
    }
  }
  return std::nullopt;
}

std::string string_value(std::string_view text) {
  std::string value;
  for (const char letter : text) value += letter == '\\' ? std::string("\\\\") : std::string(1, letter);
  return value.starts_with(' ') ? "\\s" + value.substr(1) : value;
}

Result<std::string> exec_value(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const auto& word : words) {
    if (!is_plain_text(word)) {
      return fail(fmt::format("'{}' has a character that a desktop entry can't have", text::printable(word)));
    }
    std::string inside;
    for (const char letter : word) {
      if (letter == '"' || letter == '`' || letter == '$' || letter == '\\') inside += '\\';
      if (letter == '%') inside += '%';  // a single one begins a field code
      inside += letter;
    }
    constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    const bool is_plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
    quoted.push_back(is_plain ? inside : "\"" + inside + "\"");
  }
  return string_value(text::join(quoted, " "));
}

namespace {

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

Result<void> check_png(std::string_view content) {
  constexpr std::uint32_t kMostPixels = 2048;
  // The first chunk has the size (PNG Specification, 11.2.2).
  const bool is_whole = content.size() > 33 && content.substr(12, 4) == "IHDR";
  const auto width = is_whole ? big_endian(content.substr(16)) : 0;
  const auto height = is_whole ? big_endian(content.substr(20)) : 0;
  if (width == 0 || height == 0 || width > kMostPixels || height > kMostPixels) {
    return fail(fmt::format("it has {} x {} pixels, which is not a size for an icon", width, height));
  }
  return {};
}

// The first element after a byte order mark, declarations and comments.
std::string_view first_element(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const bool is_comment = text.starts_with("<!--");
    if (!is_comment && !text.starts_with("<?")) return text;
    const auto end = text.find(is_comment ? "-->" : "?>");
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + (is_comment ? 3 : 2));
  }
}

// Pictures of a desktop need no entities, scripts or other files. Those could read files of the user who looks at them.
Result<void> check_svg(std::string_view content) {
  for (const std::string_view word :
       {"<!doctype", "<!entity", "<script", "<foreignobject", "<?xml-stylesheet", "@import", "file:"}) {
    const auto same = [](char one, char other) { return std::tolower(static_cast<unsigned char>(one)) == other; };
    const auto found = std::search(content.begin(), content.end(), word.begin(), word.end(), same);
    if (found != content.end()) return fail(fmt::format("it is an SVG with '{}', which an icon does not need", word));
  }
  for (auto at = content.find("href"); at != std::string_view::npos; at = content.find("href", at + 4)) {
    const auto value = content.find_first_not_of(" \t\r\n=\"'", at + 4);
    if (value == std::string_view::npos) break;
    if (content[value] != '#' && !content.substr(value).starts_with("data:image/")) {
      return fail("it is an SVG that refers to something outside of it");
    }
  }
  return {};
}

}  // namespace

Result<std::string> icon_kind(std::string_view content) {
  if (content.size() > kMostIconBytes) {
    return fail(fmt::format("it has more than {}, too much for an icon", text::human_size(kMostIconBytes)));
  }
  if (content.starts_with("\x89PNG\r\n\x1a\n")) {
    TRY_VOID(check_png(content));
    return std::string("png");
  }
  const auto element = first_element(content);
  if (!element.starts_with("<svg") || content.find('\0') != std::string_view::npos) {
    return fail("it is neither a PNG nor an SVG picture");
  }
  TRY_VOID(check_svg(content));
  return std::string("svg");
}

}  // namespace isolate
