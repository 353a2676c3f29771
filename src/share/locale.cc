#include "share/locale.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>

#include "base/environment.h"
#include "linux/file.h"
#include "linux/root_path.h"

namespace isolate {
namespace {

constexpr const char* kFallback = "C.UTF-8";
constexpr const char* kDirectory = "/usr/lib/locale";

bool is_locale_name(const std::string& name) {
  const auto is_plain = [](unsigned char letter) { return std::isalnum(letter) != 0 || std::strchr("_.@-", letter); };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), is_plain);
}

// Programs have these built in. Debian's C.UTF-8 is in a package that every root has.
bool is_always_there(const std::string& name) {
  return name == "C" || name == "POSIX" || name_on_disk(name) == "C.utf8";
}

// Looks for the name in the archive of locales (localedef(1)), which holds the names as text. The archive belongs to
// the root and may be of any size, so this reads it in portions, up to a limit.
bool archive_has(const Fd& archive, const std::string& name) {
  constexpr std::size_t kPortion = 1 << 20;
  constexpr std::size_t kMost = 1 << 30;  // the archive of all locales has 220 MiB
  const std::string wanted(name.c_str(), name.size() + 1);
  std::string seen;
  for (std::size_t read = 0; read < kMost;) {
    std::string portion(kPortion, '\0');
    const auto got = ::read(archive.get(), portion.data(), portion.size());
    if (got <= 0) return false;
    read += static_cast<std::size_t>(got);
    // The name may lie across the border of two portions.
    seen.erase(0, seen.size() - std::min(seen.size(), wanted.size()));
    seen.append(portion, 0, static_cast<std::size_t>(got));
    if (seen.find(wanted) != std::string::npos) return true;
  }
  return false;
}

// Nothing: the directory can't be read.
std::optional<bool> has_locale(const std::string& directory, const std::string& locale) {
  const auto root = open_file(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
  if (!root || !root_path::open(root->get(), "/", O_RDONLY | O_DIRECTORY)) return std::nullopt;
  const auto name = name_on_disk(locale);
  if (root_path::open(root->get(), std::string(kDirectory) + "/" + name, O_PATH | O_DIRECTORY)) return true;
  const auto archive = root_path::regular_file(root->get(), std::string(kDirectory) + "/locale-archive");
  return archive && archive_has(*archive, name);
}

}  // namespace

std::string locale_of_caller() {
  for (const char* variable : {"LC_ALL", "LANG"}) {
    auto value = environment_variable(variable);
    if (is_locale_name(value)) return value;
  }
  return kFallback;
}

std::string name_on_disk(const std::string& locale) {
  const auto dot = locale.find('.');
  if (dot == std::string::npos) return locale;
  const auto at = std::min(locale.find('@', dot), locale.size());
  std::string name = locale.substr(0, dot + 1);
  for (const char byte : locale.substr(dot + 1, at - dot - 1)) {
    const auto letter = static_cast<unsigned char>(byte);
    if (std::isalnum(letter) != 0) name += static_cast<char>(std::tolower(letter));
  }
  return name + locale.substr(at);
}

void settle_locale(const std::vector<std::string>& directories, SharePlan* plan) {
  if (plan->locale.empty()) return;
  bool is_there = is_always_there(plan->locale);
  bool is_known = is_there;
  for (const auto& directory : directories) {
    if (is_there) break;
    const auto found = has_locale(directory, plan->locale);
    is_known |= found.has_value();
    is_there = found.value_or(false);
  }
  if (is_known && !is_there) {
    plan->warnings.push_back(fmt::format(
        "--desktop: the root has no locale {}, so programs use {}; install it there (Debian: package locales-all)",
        plan->locale, kFallback));
    plan->locale = kFallback;
  }
  plan->environment.push_back("LANG=" + plan->locale);
}

}  // namespace isolate
