// isolatectl launcher create, list and remove
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/plain_line.h"
#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/daemon.h"
#include "isolatectl/exec_line.h"
#include "isolatectl/launcher_files.h"
#include "isolatectl/output.h"
#include "isolatectl/program_entry.h"
#include "isolatectl/table.h"
#include "linux/file.h"
#include "linux/own_program.h"
#include "request/store_path.h"

namespace isolate {
namespace {

// The icon of launchers without one of their own. Every desktop has it.
constexpr const char* kPlainIcon = "application-x-executable";

// Returns the ways to refer to a template in a list of the daemon's: NAME, KIND:NAME, and POOL/PATH/NAME for ZFS.
std::vector<std::string> references_to(const Json& row) {
  const auto name = row.value("name", "");
  const auto store = row.value("store", "");
  const auto colon = std::min(store.find(':'), store.size());
  std::vector<std::string> references = {name, store.substr(0, colon) + ":" + name};
  if (store.starts_with("zfs:")) references.push_back(store.substr(colon + 1) + "/" + name);
  return references;
}

// Finds the template as a run does: in the caller's own stores, then with the daemon. Returns nothing for a template of
// the daemon, whose files a member can't read. Errors: no such template.
Result<std::optional<TemplatePlace>> find_readable_template(Context& context, const std::string& asked) {
  auto place = context.find(asked);
  if (place) return std::optional(std::move(*place));
  const auto leasable = TRY(ask_daemon(context, "ListTemplates", "templates"));
  std::vector<std::string> names;
  for (const auto& row : leasable) {
    const auto references = references_to(row);
    if (std::find(references.begin(), references.end(), asked) != references.end()) {
      return std::optional<TemplatePlace>();
    }
    names.push_back(references.front());
  }
  if (names.empty() || !check_template_reference(asked)) return fail(std::move(place).error());
  for (const auto& store : TRY(context.stores())) {
    for (auto& name : template_names(*store)) names.push_back(std::move(name));
  }
  return fail(missing_template(asked, "", std::move(names)));
}

// Returns the words that start the command in a fresh clone.
Result<std::vector<std::string>> words_of_run(const Context& context, const std::string& reference,
                                              const LauncherOptions& options) {
  const auto program = TRY(open_own_program("isolate"));
  std::vector<std::string> words = {TRY(path_of_descriptor(program.get()))};
  if (context.main_store() != TRY(store_path("", context.owner().caller()))) {
    words.insert(words.end(), {"--store", context.main_store()});
  }
  words.insert(words.end(), {"--desktop", "-z", reference});
  if (options.share_net) words.emplace_back("-n");
  if (options.home) words.push_back("--home=" + *options.home);
  words.emplace_back("--");
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

// Reads the image that the user named. Errors: it can't be read, or is refused.
Result<Icon> read_icon(const std::string& path) {
  const auto shown = text::printable(path);
  const auto refuse = [](const Error& error) {
    return fail(
        Error(error).within("--icon").advise("give a PNG or SVG file, or the name of an icon that the desktop has"));
  };
  const auto file = open_file(AT_FDCWD, path, O_PATH);
  if (!file) return refuse(file.error());
  const auto content = read_regular_file(file->get(), kMostIconBytes, shown);
  if (!content) return refuse(content.error());
  auto icon = make_icon(*content);
  if (!icon) return refuse(std::move(icon).error().within(shown));
  return icon;
}

// Whether the template has the program at its path, or in the PATH that --desktop sets. A relative path depends on the
// guest's working directory, so it counts as present.
bool has_program(const TemplateFiles& files, const std::string& program) {
  if (program.starts_with('/')) return files.has_program(program);
  if (program.find('/') != std::string::npos) return true;
  for (const char* directory : {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
                                "/usr/local/games", "/usr/games"}) {
    if (files.has_program(std::string(directory) + "/" + program)) return true;
  }
  return false;
}

bool is_path(const std::string& icon) {
  return icon.find('/') != std::string::npos || icon.ends_with(".png") || icon.ends_with(".svg");
}

// Makes an entry, its icons and the warnings about them.
class LauncherDraft {
 public:
  explicit LauncherDraft(const LauncherOptions& options) : options_(options) {
    entry_.set("Type", "Application");
    entry_.set("Name", options.name);
    entry_.set("Terminal", "false");
  }

  // Takes the description and, unless the user names an icon, the icons of the template.
  void describe(const TemplateFiles& files) {
    const auto& program_name = options_.command.front();
    if (!has_program(files, program_name)) {
      warnings_.push_back(
          fmt::format("template '{0}' has no program '{1}'; install it with isolatectl template edit {0}",
                      options_.template_name, text::printable(program_name)));
    }
    const auto program = find_program_entry(files, options_.command);
    if (!program) return;
    copy_description(*program, &entry_);
    mark_names();
    const auto icon = program->value("Icon");
    if (!options_.icon.empty() || icon.empty()) return;
    auto found = find_icons(files, icon);
    icons_ = std::move(found.icons);
    if (!found.problem.empty()) {
      warnings_.push_back(
          fmt::format("template '{}': the launcher leaves out an icon: {}", options_.template_name, found.problem));
    }
  }

  Result<void> write(const LauncherFiles& launchers, const std::string& exec) {
    auto icon = icons_.empty() ? std::string(kPlainIcon) : LauncherFiles::icon_name(options_.name);
    if (is_path(options_.icon)) {
      icons_.push_back(TRY(read_icon(options_.icon)));
      icon = LauncherFiles::icon_name(options_.name);
    } else if (!options_.icon.empty()) {
      if (!text::is_plain_line(options_.icon))
        return fail("the icon's name is not a single line of printable UTF-8 text");
      icon = options_.icon;
    }
    entry_.set("Icon", icon);
    entry_.set("Exec", exec);
    entry_.set(LauncherFiles::kTemplateKey, options_.template_name);
    TRY_VOID(launchers.write(options_.name, std::move(entry_), icons_, &warnings_));
    for (const auto& warning : warnings_) log::warning(warning);
    return {};
  }

 private:
  // Menus may show this launcher next to the host's own program of this name, or to other launchers for it.
  void mark_names() {
    const auto copied = entry_.all();
    for (const auto& [key, raw] : copied) {
      const bool is_name = key == "Name" || key.starts_with("Name[");
      if (is_name && raw != options_.name) entry_.set_raw(key, fmt::format("{} ({})", raw, options_.name));
    }
  }

  const LauncherOptions& options_;
  DesktopEntry entry_;
  std::vector<Icon> icons_;
  std::vector<std::string> warnings_;
};

// Returns the command that the launcher runs in the clone.
std::vector<std::string> command_of(const DesktopEntry& entry) {
  auto words = words_of_exec_line(entry.value("Exec"));
  if (!words) return {};
  const auto end_of_options = std::find(words->begin(), words->end(), "--");
  return {end_of_options == words->end() ? end_of_options : end_of_options + 1, words->end()};
}

std::string shown_command(const DesktopEntry& entry) {
  auto words = command_of(entry);
  for (auto& word : words) word = text::shell_quoted(word);
  return text::join(words, " ");
}

}  // namespace

Result<void> create_launcher(Context& context, const LauncherOptions& options) {
  // A desktop starts programs in another directory than the user's current one, so a relative path would mislead.
  if (options.home && !options.home->starts_with('/') && !options.home->starts_with("~/")) {
    return fail(fmt::format("--home '{}': write a path that begins with '/' or '~/'", text::printable(*options.home)));
  }
  const auto launchers = TRY(LauncherFiles::of(context.owner().caller()));
  TRY(launchers.find(options.name));
  const auto place = TRY(find_readable_template(context, options.template_name));
  const auto reference = place ? context.reference(*place, options.template_name) : options.template_name;
  const auto exec = TRY(exec_line(TRY(words_of_run(context, reference, options))));
  LauncherDraft draft(options);
  if (place) {
    const auto files = TemplateFiles::open(*place, &context.owner());
    if (files) {
      draft.describe(*files);
    } else {
      log::warning(fmt::format("the launcher gets no name and no icon from template '{}': {}", options.template_name,
                               files.error().message()));
    }
  } else if (!context.quiet()) {
    log::info(fmt::format(
        "template '{}' is leased by the daemon, so isolatectl can't read its files: the launcher gets no name "
        "and no icon from it",
        options.template_name));
  }
  TRY_VOID(draft.write(launchers, exec));
  if (!context.quiet()) log::info(fmt::format("launcher {} is {}", options.name, launchers.entry_path(options.name)));
  return {};
}

Result<void> list_launchers(Context& context) {
  const auto launchers = TRY(LauncherFiles::of(context.owner().caller()));
  std::vector<std::vector<std::string>> rows = {{"NAME", "TEMPLATE", "COMMAND"}};
  Json list = Json::array();
  for (const auto& [name, entry] : TRY(launchers.all())) {
    const auto template_name = entry.value(LauncherFiles::kTemplateKey);
    rows.push_back({name, template_name, shown_command(entry)});
    list.push_back({{"name", name},
                    {"template", template_name},
                    {"command", command_of(entry)},
                    {"file", launchers.entry_path(name)}});
  }
  return context.json() ? print(list) : print(table(rows));
}

Result<void> remove_launcher(Context& context, const std::string& name) {
  return TRY(LauncherFiles::of(context.owner().caller())).remove(name);
}

}  // namespace isolate
