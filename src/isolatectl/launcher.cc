// isolatectl launcher: entries in the user's menu that start a command in a fresh clone.
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/desktop_entry.h"
#include "isolatectl/output.h"
#include "isolatectl/table.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

constexpr const char* kPrefix = "isolate-";
constexpr const char* kSuffix = ".desktop";
constexpr const char* kTemplateKey = "X-Isolate-Template=";
constexpr const char* kCommandKey = "X-Isolate-Command=";
constexpr std::size_t kLongestName = 64;

Result<std::string> data_directory(Context& context) {
  const char* value = std::getenv("XDG_DATA_HOME");
  if (value != nullptr && *value == '/') return std::string(value);
  const auto home = context.owner().caller().home();
  if (home.empty()) return fail("the user has no home directory");
  return home + "/.local/share";
}

Result<void> check_name(const std::string& name) {
  if (text::is_name(name, kLongestName)) return {};
  return fail(fmt::format("launcher '{}': a name has letters, digits, '.', '_' and '-'", text::printable(name)));
}

std::string entry_file(const std::string& data, const std::string& name) {
  return fmt::format("{}/applications/{}{}{}", data, kPrefix, name, kSuffix);
}

std::string icon_file(const std::string& data, const std::string& name, const std::string& kind) {
  return fmt::format("{}/icons/{}{}.{}", data, kPrefix, name, kind);
}

// The program isolate of this installation.
Result<std::string> isolate_program() {
  char path[PATH_MAX];
  const auto length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) return fail(errno, "/proc/self/exe");
  const std::string own(path, static_cast<std::size_t>(length));
  const auto program = own.substr(0, own.rfind('/') + 1) + "isolate";
  if (::access(program.c_str(), X_OK) != 0) return fail(errno, program);
  return program;
}

// The words that start a run on the template.
std::vector<std::string> words_of_run(const std::string& program, const LauncherOptions& options) {
  std::vector<std::string> words = {program};
  for (const auto& store : options.stores) words.insert(words.end(), {"--store", store});
  words.insert(words.end(), {"-q", "-z", options.template_name});
  return words;
}

// Prints the first of these files that the template has, as a command in a clone of it. There the template's links lead
// nowhere else, and its programs can do nothing. run_program() keeps the first MiB of what they print.
std::string read_in_clone(std::vector<std::string> words, const std::vector<std::string>& files) {
  constexpr const char* kScript = "for file; do if [ -f \"$file\" ]; then exec cat \"$file\"; fi; done";
  words.insert(words.end(), {"--timeout", "20", "sh", "-c", kScript, "sh"});
  words.insert(words.end(), files.begin(), files.end());
  auto output = run_program(words);
  return output && output->status.success() ? output->out : "";
}

// Whether isolate could run something on the template, which may be one of the daemon's.
Result<void> check_template(std::vector<std::string> words) {
  words.insert(words.end(), {"--dry-run", "true"});
  const auto output = TRY(run_program(words));
  if (output.status.success()) return {};
  constexpr std::string_view kError = "error: ";
  const auto message = output.err.substr(0, output.err.find('\n'));
  const auto start = message.find(kError);
  return fail(start == std::string::npos ? message : message.substr(start + kError.size()));
}

std::string all_entries(std::vector<std::string> words) {
  words.insert(words.end(), {"--timeout", "20", "sh", "-c", "cat /usr/share/applications/*.desktop"});
  auto output = run_program(words);
  return output ? output->out : "";
}

// Where the template may have the icon that its desktop entry names.
std::vector<std::string> places_of_icon(const std::string& icon) {
  if (icon.starts_with('/')) return {icon};
  std::vector<std::string> places;
  if (icon.empty() || icon.find('/') != std::string::npos) return places;
  for (const char* size : {"scalable", "256x256", "128x128", "64x64", "48x48"}) {
    const auto* kind = std::string_view(size) == "scalable" ? "svg" : "png";
    places.push_back(fmt::format("/usr/share/icons/hicolor/{}/apps/{}.{}", size, icon, kind));
  }
  for (const char* kind : {"png", "svg"}) places.push_back(fmt::format("/usr/share/pixmaps/{}.{}", icon, kind));
  return places;
}

struct Icon {
  std::string kind;
  std::string content;
};

Result<Icon> own_icon(const std::string& path) {
  const auto shown = "icon " + text::printable(path);
  const auto content = TRY(read_file(path));
  auto kind = icon_kind(content);
  if (!kind) return fail(std::move(kind).error().within(shown));
  return Icon{std::move(*kind), content};
}

// The icon of the template, if it has one that can be used.
std::optional<Icon> icon_of_template(const std::vector<std::string>& words, const std::string& name) {
  const auto places = places_of_icon(name);
  if (places.empty()) return std::nullopt;
  auto content = read_in_clone(words, places);
  if (content.empty()) return std::nullopt;
  auto kind = icon_kind(content);
  if (kind) return Icon{std::move(*kind), std::move(content)};
  log::warning(fmt::format("the template's icon {} is not used: {}", text::printable(name), kind.error().message()));
  return std::nullopt;
}

Result<void> write_new_file(const std::string& path, std::string_view content) {
  const auto file = open_file(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0644);
  if (!file && file.error().code() == EEXIST) return fail(path + " is there already; remove that launcher first");
  if (!file) return fail(file.error());
  return write_all(file->get(), content, path);
}

std::string entry_text(const LauncherOptions& options, const EntryTexts& texts, const std::string& exec,
                       const std::string& program, const std::string& icon) {
  std::string text = "[Desktop Entry]\nType=Application\n";
  if (texts.texts.empty()) text += fmt::format("Name={}\n", options.name);
  for (const auto& [key, value] : texts.texts) text += fmt::format("{}={}\n", key, value);
  text += fmt::format("Exec={}\nTryExec={}\nIcon={}\nTerminal={}\n", exec, string_value(program), string_value(icon),
                      texts.terminal);
  if (!texts.categories.empty()) text += fmt::format("Categories={}\n", texts.categories);
  std::vector<std::string> shown;
  for (const auto& word : options.command) shown.push_back(text::shell_quoted(word));
  return text + fmt::format("{}{}\n{}{}\n", kTemplateKey, string_value(options.template_name), kCommandKey,
                            string_value(text::printable(text::join(shown, " "))));
}

struct Row {
  std::string name;
  std::string template_name;
  std::string command;
};

std::string value_in(const std::string& file, std::string_view key) {
  for (const auto& line : text::split(file, '\n')) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  return "?";
}

}  // namespace

Result<void> create_launcher(Context& context, const LauncherOptions& options) {
  TRY_VOID(check_name(options.name));
  if (options.command.empty())
    return fail("no command; usage: isolatectl launcher create NAME --template T -- COMMAND");
  const auto data = TRY(data_directory(context));
  const auto program = TRY(isolate_program());
  const auto words = words_of_run(program, options);
  TRY_VOID(check_template(words));
  const auto file = entry_file(data, options.name);
  if (::access(file.c_str(), F_OK) == 0) return fail(file + " is there already; remove that launcher first");

  const auto& command = options.command[0];
  const auto texts = find_entry(all_entries(words), command.substr(command.rfind('/') + 1)).value_or(EntryTexts());
  std::optional<Icon> icon;
  if (options.icon.empty()) {
    icon = icon_of_template(words, texts.icon);
  } else {
    icon = TRY(own_icon(options.icon));
  }

  auto started = words;
  started.emplace_back("--desktop");
  if (options.network) started.emplace_back("-n");
  if (!options.home.empty()) started.push_back("--home=" + options.home);
  started.emplace_back("--");
  started.insert(started.end(), options.command.begin(), options.command.end());
  const auto exec = TRY(exec_value(started));
  TRY_VOID(make_directories(data + "/applications", 0755));
  std::string icon_name = "application-x-executable";
  if (icon) {
    icon_name = icon_file(data, options.name, icon->kind);
    TRY_VOID(make_directories(data + "/icons", 0755));
    TRY_VOID(replace_file(icon_name, icon->content, 0644));
  }
  return write_new_file(file, entry_text(options, texts, exec, program, icon_name));
}

Result<void> list_launchers(Context& context) {
  const auto directory = TRY(data_directory(context)) + "/applications";
  std::vector<Row> rows;
  for (const auto& file : list_directory(AT_FDCWD, directory).value_or(std::vector<std::string>())) {
    if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) continue;
    const auto text = read_file(directory + "/" + file);
    if (!text || text->find(kTemplateKey) == std::string::npos) continue;
    const auto prefix = std::string_view(kPrefix).size();
    rows.push_back({file.substr(prefix, file.size() - prefix - std::string_view(kSuffix).size()),
                    value_in(*text, kTemplateKey), value_in(*text, kCommandKey)});
  }
  if (context.json()) {
    Json list = Json::array();
    for (const auto& row : rows) {
      list.push_back({{"name", row.name}, {"template", row.template_name}, {"command", row.command}});
    }
    return print(list);
  }
  std::vector<std::vector<std::string>> cells = {{"NAME", "TEMPLATE", "COMMAND"}};
  for (const auto& row : rows) cells.push_back({row.name, row.template_name, row.command});
  return print(table(cells));
}

Result<void> remove_launcher(Context& context, const std::string& name) {
  TRY_VOID(check_name(name));
  const auto data = TRY(data_directory(context));
  const auto file = entry_file(data, name);
  const auto text = read_file(file);
  if (!text || text->find(kTemplateKey) == std::string::npos) {
    return fail(fmt::format("there is no launcher {}; see isolatectl launcher list", name));
  }
  if (::unlink(file.c_str()) != 0) return fail(errno, "remove " + file);
  for (const char* kind : {"png", "svg"}) {
    const auto icon = icon_file(data, name, kind);
    if (::unlink(icon.c_str()) != 0 && errno != ENOENT) return fail(errno, "remove " + icon);
  }
  return {};
}

}  // namespace isolate
