// --desktop, for programs with windows: it turns on other shares, and shows the host's fonts, icons, themes, locale and
// time zone. Their files appear read-only in the guest's /tmp.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/environment.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "share/guest_files.h"
#include "share/locale.h"
#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kName = ".desktop";  // of a directory in the guest's /tmp
constexpr const char* kDirectory = "/tmp/.desktop/";
constexpr const char* kFontsFile = "/tmp/.desktop/fonts.conf";
constexpr const char* kTimeFile = "/etc/localtime";
// Each is a directory in the guest that XDG_DATA_DIRS lists, with fonts, icons and themes in it.
constexpr std::array kPlaces = {"old", "user", "local", "system"};
// Debian has games in directories of their own, which are in the PATH of users but not of root.
constexpr const char* kPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/games:/usr/games";
constexpr std::array kThings = {"fonts", "icons", "themes"};

// Variables of the session that decide how programs look and behave. None of them holds a path.
constexpr std::array kVariables = {
    "LANGUAGE",           "XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP", "XDG_SESSION_TYPE",
    "DESKTOP_SESSION",    "XCURSOR_THEME",       "XCURSOR_SIZE",        "GTK_THEME",
    "GDK_SCALE",          "GDK_DPI_SCALE",       "QT_SCALE_FACTOR",     "QT_FONT_DPI",
    "XKB_DEFAULT_RULES",  "XKB_DEFAULT_MODEL",   "XKB_DEFAULT_LAYOUT",  "XKB_DEFAULT_VARIANT",
    "XKB_DEFAULT_OPTIONS"};

bool is_set(const char* variable) { return !environment_variable(variable).empty(); }

bool asks_for(const RunRequest& request, std::string_view option) {
  return std::any_of(request.shares.begin(), request.shares.end(),
                     [option](const ShareWish& wish) { return wish.option == option; });
}

// Without any display the run fails, in look_up(). If anything else is missing, isolate only warns. A user who names a
// display gets no other one, because --x11=nested would not confine a guest that also had the session's Wayland
// display.
std::vector<ShareWish> wishes_of_session(const RunRequest& request) {
  std::vector<ShareWish> wishes;
  if (!asks_for(request, "x11") && !asks_for(request, "wayland")) {
    const auto& declined = request.declined;
    const bool has_wayland =
        is_set("WAYLAND_DISPLAY") && std::find(declined.begin(), declined.end(), "wayland") == declined.end();
    if (has_wayland) wishes.push_back({"wayland", "", false});
    if (!has_wayland || is_set("DISPLAY")) wishes.push_back({"x11", "", has_wayland});
  }
  wishes.push_back({"pulse", "", true});
  wishes.push_back({"gpu", "", true});
  wishes.push_back({"home", "", false});
  return wishes;
}

std::string source_of(std::string_view place, const std::string& thing, const std::string& home) {
  if (place == "system") return "/usr/share/" + thing;
  if (place == "local") return "/usr/local/share/" + thing;
  if (home.empty()) return {};
  return place == "user" ? home + "/.local/share/" + thing : home + "/." + thing;
}

void add_data(const Caller& caller, SharePlan* plan) {
  const auto home = caller.home();
  std::string directories = "/usr/local/share:/usr/share";
  std::string cursors = "~/.local/share/icons:~/.icons:/usr/share/icons:/usr/share/pixmaps";
  for (const std::string place : kPlaces) {
    bool is_used = false;
    for (const std::string thing : kThings) {
      RootMount mount;
      mount.source = source_of(place, thing, home);
      mount.target = kDirectory + place + "/" + thing;
      mount.read_only = true;
      const auto status = status_of(AT_FDCWD, mount.source);
      if (!status || !S_ISDIR(status->st_mode) || ::access(mount.source.c_str(), R_OK | X_OK) != 0) continue;
      is_used = true;
      if (thing == "icons") cursors += ":" + mount.target;
      plan->mounts.push_back(std::move(mount));
    }
    if (is_used) directories += std::string(":") + kDirectory + place;
  }
  plan->environment.push_back("XDG_DATA_DIRS=" + directories);
  plan->environment.push_back("XCURSOR_PATH=" + cursors);
  RootMount fonts;
  fonts.target = kFontsFile;
  fonts.read_only = true;
  plan->mounts.push_back(std::move(fonts));
  plan->environment.push_back(std::string("FONTCONFIG_FILE=") + kFontsFile);
}

// Passes on a name such as Europe/Berlin or a rule such as CET-1CEST. ":/PATH" would name a file of the host.
void add_time_zone(SharePlan* plan) {
  const auto zone = environment_variable("TZ");
  if (!zone.empty() && zone[0] != ':' && zone[0] != '/') plan->environment.push_back("TZ=" + zone);
  const auto status = status_of(AT_FDCWD, kTimeFile);
  if (!status || !S_ISREG(status->st_mode)) return;
  RootMount mount;
  mount.source = kTimeFile;
  mount.target = kTimeFile;
  mount.read_only = true;
  plan->mounts.push_back(std::move(mount));
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& /*wishes*/) {
  // Otherwise the error would be about --x11, which the user may not have typed.
  if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") && asks_for(request, "x11") && !asks_for(request, "wayland")) {
    return fail(
        "neither DISPLAY nor WAYLAND_DISPLAY is set, so there is no display here; start isolate from a graphical "
        "session");
  }
  SharePlan plan;
  add_data(caller, &plan);
  add_time_zone(&plan);
  for (const char* variable : kVariables) {
    if (is_set(variable)) plan.environment.push_back(fmt::format("{}={}", variable, environment_variable(variable)));
  }
  plan.environment.emplace_back(kPath);
  // A locale that the user sets for the guest overrides the session's, so a missing session locale needs no warning.
  const auto names_a_locale = [](const std::string& variable) {
    return variable.starts_with("LANG=") || variable.starts_with("LC_ALL=");
  };
  const auto& variables = request.environment;
  if (std::none_of(variables.begin(), variables.end(), names_a_locale)) plan.locale = locale_of_caller();
  return plan;
}

Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) {
  return mount.source.empty() ? Result<void>() : root->open_bind(mount, number);
}

// Includes the root's own configuration, and adds the host's fonts.
Result<void> write_fonts_file(const RootInProgress& root, const Fd& directory) {
  std::string text =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n"
      "<include ignore_missing=\"yes\">/etc/fonts/fonts.conf</include>\n";
  for (const char* place : kPlaces) text += fmt::format("<dir>{}{}/fonts</dir>\n", kDirectory, place);
  return write_private_file(root, directory, "fonts.conf", text + "</fontconfig>\n");
}

Result<void> attach(RootInProgress* root, const RootMount& mount, std::size_t number) {
  if (mount.target == kTimeFile) {
    const auto etc = root_path::open(root->root(), "/etc", O_PATH | O_DIRECTORY);
    const auto is_there = etc && status_of(etc->get(), "localtime", AT_SYMLINK_NOFOLLOW);
    if (!is_there && (!root->traits().is_template || !root->may_create_targets())) return {};
    return root->cover_in_etc(TRY(root->opened(number)), "localtime");
  }
  const auto directory = TRY(directory_in_tmp(*root, kName, 0755));
  if (mount.target == kFontsFile) return write_fonts_file(*root, directory);
  const auto names = text::split(mount.target.substr(std::string_view(kDirectory).size()), '/');
  const auto place = TRY(directory_below(*root, directory, names[0].c_str(), 0755));
  const auto target = TRY(directory_below(*root, place, names[1].c_str(), 0755));
  return mount::attach(TRY(root->opened(number)), target.get(), mount.target);
}

std::string describe_desktop(const RootMount& mount) {
  return mount.source.empty() ? fmt::format("make {}, which names the host's fonts", mount.target)
                              : describe_bind(mount);
}

constexpr ShareOption kOption = {
    0, "desktop", nullptr, false, false, "display, sound, graphics, a home, and your session's look", nullptr};

}  // namespace

const Share kDesktop = {.name = "desktop",
                        .describe = describe_desktop,
                        .open = open,
                        .mount = attach,
                        .option = &kOption,
                        .look_up = look_up,
                        .presets = wishes_of_session};

}  // namespace isolate
