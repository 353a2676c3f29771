#include "store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/nearest.h"
#include "base/random.h"
#include "base/text.h"
#include "linux/file.h"

namespace isolate {

Result<void> check_template_name(std::string_view name) {
  constexpr std::size_t kLongest = 40;
  if (text::is_name(name, kLongest)) return {};
  return fail("'" + text::printable(name.substr(0, 60)) +
              "' is not a template name: 1 to 40 letters, digits, '.', '_' or '-', beginning with a letter or digit");
}

Result<void> Store::check_exists(const std::string& name) {
  TRY_VOID(check_template_name(name));
  if (TRY(has_template(name))) return {};
  std::vector<std::string> names;
  if (auto infos = templates()) {
    for (const auto& info : *infos) names.push_back(info.name);
  }
  return fail(missing_template(name, " in " + description(), std::move(names)));
}

Error missing_template(const std::string& name, const std::string& place, std::vector<std::string> existing) {
  constexpr std::size_t kMostShown = 10;
  std::sort(existing.begin(), existing.end());
  existing.erase(std::unique(existing.begin(), existing.end()), existing.end());
  auto text = fmt::format("there is no template '{}'{}", text::printable(name), place);
  const auto nearest = text::nearest_word(name, existing);
  if (!existing.empty()) {
    const auto others = existing.size() - std::min(existing.size(), kMostShown);
    existing.resize(std::min(existing.size(), kMostShown));
    text += "; there are: " + text::join(existing, ", ") + (others > 0 ? fmt::format(" and {} more", others) : "");
  }
  if (!nearest.empty()) text += "; nearest: " + nearest;
  const auto plain = name.substr(name.rfind(':') + 1);
  return Error(std::move(text))
      .advise(fmt::format("make one: isolatectl template create {} --from debian:bookworm", text::printable(plain)));
}

Result<Generation> Store::generation_for_runs(const std::string& name) {
  if (auto recorded = recorded_generation(name)) return std::move(*recorded);
  return newest_generation(name);
}

std::vector<Result<void>> Store::make_clones(const Generation& generation, const std::vector<std::string>& clone_ids) {
  std::vector<Result<void>> outcomes;
  for (const auto& id : clone_ids) outcomes.push_back(make_clone(generation, id));
  return outcomes;
}

std::vector<Result<void>> Store::destroy_clones(const std::string& template_name,
                                                const std::vector<std::string>& clone_ids, Deadline deadline) {
  std::vector<Result<void>> outcomes;
  for (const auto& id : clone_ids) outcomes.push_back(destroy_clone(template_name, id, deadline));
  return outcomes;
}

Result<RootSource> Store::clone_root(const Generation& generation, const std::string& clone_id) {
  return planned_root(generation, clone_id);
}

Result<RootSource> Store::generation_root(const Generation& generation) {
  return RootSource{generation.layers, generation.snapshot};
}

Result<std::vector<std::string>> Store::shifted_layers(const Generation& /*generation*/) {
  return fail(Error(ENOTSUP, fmt::format("layers of {} for private user namespaces", description())));
}

Result<std::string> Store::begin_changes(const std::string& name) {
  return fail(fmt::format("template '{}' of {} can only be changed through a clone", name, description()));
}

Result<bool> Store::has_changes(const std::string& /*name*/) { return false; }

Result<void> Store::leave_changes(const std::string& /*name*/) { return {}; }

Result<bool> Store::is_unchanged(const Generation& /*base*/, const std::string& /*clone_id*/) { return false; }

Result<void> Store::discard_changes(const std::string& /*name*/) { return {}; }

std::vector<std::string> mounted_clones() {
  const auto names = list_directory(AT_FDCWD, kCloneMounts);
  std::vector<std::string> places;
  if (!names) return places;  // the directory exists only after a ZFS clone was mounted
  for (const auto& name : *names) {
    auto place = std::string(kCloneMounts) + "/" + name;
    // Skips a mount that has been removed meanwhile, and a directory without a mount, such as an exported pool leaves.
    struct statx found {};
    constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (::statx(AT_FDCWD, place.c_str(), kFlags, 0, &found) != 0) continue;
    if ((found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) places.push_back(std::move(place));
  }
  return places;
}

void detach_mounted_clones() {
  for (const auto& place : mounted_clones()) {
    ::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);  // fails only if it is no longer mounted
  }
}

std::string Store::new_clone_id(const std::string& template_name) const { return template_name + "-" + random_name(); }

}  // namespace isolate
