#include "isolatectl/program_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "isolatectl/exec_line.h"

namespace isolate {
namespace {

constexpr const char* kEntries = "/usr/share/applications";
constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kMostBytesOfEntries = 32 << 20;  // of all files together

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// How well an entry fits the command.
enum class Fit { none, hidden, shown, exact };

Fit fit_of(const DesktopEntry& entry, const std::vector<std::string>& command) {
  if (entry.value("Type") != "Application" || entry.value("Hidden") == "true") return Fit::none;
  const auto words = words_of_exec_line(entry.value("Exec"));
  if (!words || words->empty() || base_name(words->front()) != base_name(command.front())) return Fit::none;
  if (std::equal(words->begin() + 1, words->end(), command.begin() + 1, command.end())) return Fit::exact;
  return entry.value("NoDisplay") == "true" ? Fit::hidden : Fit::shown;
}

bool is_short_line(const std::string& value) {
  constexpr std::size_t kLongest = 1000;
  return !value.empty() && value.size() <= kLongest;
}

// Registered categories, and those that programs add, consist of these characters.
bool is_list_of_categories(const std::string& value) {
  return is_short_line(value) &&
         value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-;") ==
             std::string::npos;
}

bool is_truth_value(const std::string& value) { return value == "true" || value == "false"; }

struct Described {
  std::string_view key;
  bool in_languages;
  bool is_list;  // the specification ends a list with ';'
  bool (*is_accepted)(const std::string& value);
};
constexpr Described kDescribed[] = {{"Name", true, false, is_short_line},
                                    {"GenericName", true, false, is_short_line},
                                    {"Comment", true, false, is_short_line},
                                    {"Keywords", true, true, is_short_line},
                                    {"Categories", false, true, is_list_of_categories},
                                    {"StartupWMClass", false, false, is_short_line},
                                    {"Terminal", false, false, is_truth_value}};

// Returns the paths at which the icon of that name may be.
std::vector<std::string> paths_of_icon(const std::string& icon) {
  if (icon.starts_with('/')) return {icon};
  if (icon.find('/') != std::string::npos || icon.size() > 128) return {};
  auto name = icon;
  for (const char* suffix : {".png", ".svg", ".xpm"}) {
    if (name.ends_with(suffix)) name.resize(name.size() - 4);
  }
  std::vector<std::string> paths;
  for (const auto size : icon_sizes()) {
    paths.push_back(fmt::format("/usr/share/icons/hicolor/{}/apps/{}.png", icon_folder(size), name));
  }
  paths.push_back(fmt::format("/usr/share/icons/hicolor/{}/apps/{}.svg", kScalable, name));
  for (const char* suffix : {".png", ".svg"}) paths.push_back(fmt::format("/usr/share/pixmaps/{}{}", name, suffix));
  return paths;
}

}  // namespace

std::optional<DesktopEntry> find_program_entry(const TemplateFiles& files, const std::vector<std::string>& command) {
  std::optional<DesktopEntry> best;
  auto best_fit = Fit::none;
  std::size_t bytes = 0;
  // A template without the directory, or one that can't be read, has no entries.
  const auto names = files.names(kEntries, kMostEntries);
  for (const auto& name : names ? *names : std::vector<std::string>()) {
    if (!name.ends_with(".desktop") || bytes > kMostBytesOfEntries) continue;
    // The same holds for a single file.
    const auto content = files.read(fmt::format("{}/{}", kEntries, name), DesktopEntry::kMostBytes);
    if (!content) continue;
    bytes += content->size();
    auto entry = DesktopEntry::parse(*content);
    if (!entry) continue;
    const auto fit = fit_of(*entry, command);
    if (fit <= best_fit) continue;
    best_fit = fit;
    best = std::move(*entry);
  }
  return best;
}

void copy_description(const DesktopEntry& from, DesktopEntry* to) {
  constexpr std::size_t kMostValues = 1000;  // more than seven keys in all languages that desktops support
  std::size_t copied = 0;
  for (const auto& [key, raw] : from.all()) {
    const auto bracket = key.find('[');
    for (const auto& described : kDescribed) {
      if (key.substr(0, bracket) != described.key) continue;
      if (bracket != std::string::npos && !described.in_languages) continue;
      if (!described.is_accepted(from.value(key)) || copied++ >= kMostValues) continue;
      to->set_raw(key, described.is_list && !raw.ends_with(';') ? raw + ";" : raw);
    }
  }
}

FoundIcons find_icons(const TemplateFiles& files, const std::string& icon) {
  FoundIcons found;
  for (const auto& path : paths_of_icon(icon)) {
    auto content = files.read(path, kMostIconBytes);
    if (!content && (content.error().code() == ENOENT || content.error().code() == ENOTDIR)) continue;
    auto made = content ? make_icon(*content) : Result<Icon>(fail(std::move(content).error()));
    if (!made) {
      if (found.problem.empty()) found.problem = fmt::format("{}: {}", text::printable(path), made.error().message());
      continue;
    }
    const auto has_folder = [&made](const Icon& other) { return other.folder == made->folder; };
    if (std::none_of(found.icons.begin(), found.icons.end(), has_folder)) found.icons.push_back(std::move(*made));
  }
  return found;
}

}  // namespace isolate
