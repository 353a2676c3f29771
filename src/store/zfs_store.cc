#include "store/zfs_store.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "linux/file.h"
#include "store/zfs_mount.h"

namespace isolate {
namespace {

constexpr const char* kMounts = kCloneMounts;
constexpr const char* kState = "/var/lib/isolate/zfs";

// User properties. A value counts only if it is set on the dataset itself, because datasets inherit properties.
constexpr const char* kClone = "isolate:clone";            // on a clone: the snapshot that it was made from
constexpr const char* kDraft = "isolate:draft";            // on a template that is being made
constexpr const char* kOrigin = "isolate:origin";          // on a template made by isolatectl: its source
constexpr const char* kGeneration = "isolate:generation";  // on a snapshot made by isolatectl
constexpr const char* kUndo = "isolate:undo";              // on a snapshot that discard_changes() restores

std::string set(const std::string& property, const std::string& value) { return property + "=" + value; }

// Returns the time as "20260301T120000.123456789Z", which contains only characters that a snapshot's name may have.
std::string now_name() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  struct tm parts {};
  char text[32];
  if (::gmtime_r(&now.tv_sec, &parts) == nullptr || ::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &parts) == 0)
    return {};
  return fmt::format("{}.{:09}Z", text, now.tv_nsec);
}

// A clone is named NAME_TIME.
bool is_clone_name(const std::string& template_name, const std::string& id) {
  const auto dash = id.rfind('_');
  return dash != std::string::npos && id.substr(0, dash) == template_name &&
         text::number(id.substr(dash + 1), "", 1, UINT64_MAX).has_value();
}

// True if isolate has marked the dataset as a clone, and it was made from a snapshot of this template.
bool is_clone_of(const std::string& template_dataset, const zfs::Dataset& dataset) {
  return !dataset.own(kClone).empty() && dataset.value("origin").starts_with(template_dataset + "@");
}

struct Snapshot {
  std::string name;
  std::uint64_t number = 0;  // seconds since 1970 times 1000, plus the number of earlier snapshots in the same second
  std::int64_t created = 0;
  bool is_ours = false;
};

// Returns the generations from old to new. Undo snapshots are not generations.
std::vector<Snapshot> generations_in(const std::vector<zfs::Dataset>& datasets, const std::string& dataset) {
  std::vector<Snapshot> snapshots;
  for (const auto& found : datasets) {
    if (!found.name.starts_with(dataset + "@") || !found.own(kUndo).empty()) continue;
    const auto created = text::number(found.value("creation"), "", 0, INT64_MAX / 1000);
    if (!created) continue;
    std::uint64_t number = *created * 1000;
    if (!snapshots.empty() && snapshots.back().number >= number) number = snapshots.back().number + 1;
    snapshots.push_back({found.name, number, static_cast<std::int64_t>(*created), !found.own(kGeneration).empty()});
  }
  return snapshots;
}

std::vector<std::string> undo_snapshots(const std::vector<zfs::Dataset>& datasets) {
  std::vector<std::string> names;
  for (const auto& found : datasets) {
    if (found.is_snapshot() && !found.own(kUndo).empty()) names.push_back(found.name);
  }
  return names;
}

std::string snapshot_properties() {
  return fmt::format("type,creation,{},{},{},{}", kDraft, kOrigin, kGeneration, kUndo);
}

Result<void> make_place_for_mounts() {
  TRY_VOID(make_directories("/run/isolate", 0755));
  return make_directories(kMounts, 0700);
}

}  // namespace

Result<ZfsStore> ZfsStore::open(const std::string& parent) {
  TRY_VOID(zfs::check_dataset_name(parent));
  if (::geteuid() != 0) return fail("only root can use a ZFS store");
  return ZfsStore(parent);
}

std::string ZfsStore::state_directory() const {
  std::string name = parent_;
  std::replace(name.begin(), name.end(), '/', '%');  // the name of a dataset can't contain '%'
  return std::string(kState) + "/" + name;
}

Result<zfs::Dataset> ZfsStore::dataset_of(const std::string& name, const std::string& properties) {
  return TRY(zfs::get(dataset(name), 0, properties)).front();
}

Result<bool> ZfsStore::has_template(const std::string& name) {
  auto found = dataset_of(name, fmt::format("type,{},{}", kClone, kDraft));
  if (found) return found->own(kClone).empty() && found->own(kDraft).empty();
  if (found.error().code() == ENOENT) return false;
  return fail(std::move(found).error());
}

Result<TemplateInfo> ZfsStore::info(const std::string& name) {
  TRY_VOID(check_exists(name));
  const auto found = TRY(zfs::get(dataset(name), 1, snapshot_properties()));
  const auto generations = generations_in(found, dataset(name));
  TemplateInfo info{name, std::string(kind()), 0, 1, 0, found.front().own(kOrigin), ""};
  if (generations.empty()) {
    info.problem = "it has no snapshot yet; make one: isolatectl template snapshot " + name;
    return info;
  }
  info.generation = generations.back().number;
  info.created = generations.back().created;
  return info;
}

Result<std::vector<TemplateInfo>> ZfsStore::templates() {
  std::vector<TemplateInfo> infos;
  for (const auto& found : TRY(zfs::get(parent_, 1, fmt::format("type,{},{}", kClone, kDraft)))) {
    const auto name = found.name.substr(std::min(found.name.size(), parent_.size() + 1));
    if (found.value("type") != "filesystem" || !check_template_name(name)) continue;
    if (!found.own(kClone).empty() || !found.own(kDraft).empty()) continue;
    auto known = info(name);
    infos.push_back(known ? std::move(*known) : TemplateInfo{name, "zfs", 0, 0, 0, "", known.error().message()});
  }
  return infos;
}

Result<Generation> ZfsStore::newest_generation(const std::string& name) {
  TRY_VOID(check_template_name(name));
  auto found = zfs::get(dataset(name), 1, snapshot_properties());
  if (!found && found.error().code() == ENOENT) TRY_VOID(check_exists(name));
  const auto datasets = TRY(std::move(found));
  const auto generations = generations_in(datasets, dataset(name));
  if (generations.empty() || !datasets.front().own(kDraft).empty()) {
    return fail(Error(fmt::format("template '{}' has no snapshot", dataset(name)))
                    .advise("make one: isolatectl template snapshot " + name));
  }
  return Generation{name, generations.back().number, {}, generations.back().name};
}

std::string ZfsStore::new_clone_id(const std::string& template_name) const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return fmt::format("{}_{}{:09}", template_name, now.tv_sec, now.tv_nsec);
}

Result<void> ZfsStore::make_clone(const Generation& generation, const std::string& clone_id) {
  TRY_VOID(make_place_for_mounts());
  // A crash can leave a clone without the mark (see is_unfinished()). Its name has to be on disk by then.
  TRY_VOID(sync_directory(state_directory() + "/" + generation.template_name + "/making"));
  TRY(zfs::run({"clone", "-o", set(kClone, generation.snapshot), "-o", "canmount=noauto", "-o",
                set("mountpoint", std::string(kMounts) + "/" + clone_id), generation.snapshot, dataset(clone_id)}));
  return {};
}

RootSource ZfsStore::planned_root(const Generation& /*generation*/, const std::string& clone_id) const {
  if (!zfs::kernel_has_zfs()) return RootSource{{}, clone_location(clone_id)};
  return RootSource{{}, "", mount::FileSystem{"zfs", {{"source", dataset(clone_id)}}}};
}

Result<RootSource> ZfsStore::clone_root(const Generation& generation, const std::string& clone_id) {
  auto root = planned_root(generation, clone_id);
  if (root.file_system) {
    root.file_system = TRY(zfs::file_system_of(TRY(dataset_of(clone_id, zfs::mount_properties()))));
  } else {
    TRY_VOID(zfs::mount_on(dataset(clone_id), root.directory));
  }
  return root;
}

Result<RootSource> ZfsStore::generation_root(const Generation& generation) {
  if (!zfs::kernel_has_zfs())
    return fail("zfs-fuse can't show " + generation.snapshot + " before there is a clone of it");
  const mount::FileSystem snapshot{"zfs", {{"source", generation.snapshot}, {"ro", ""}}, MOUNT_ATTR_RDONLY};
  return RootSource{{}, "", snapshot};
}

bool ZfsStore::is_unfinished(const std::string& template_name, const zfs::Dataset& clone) {
  if (!clone.own(kClone).empty() || !clone.value("origin").starts_with(dataset(template_name) + "@")) return false;
  auto written = zfs::get(clone.name, 1, "written");
  return written && written->size() == 1 && written->front().value("written") == "0";
}

// ZFS frees the space in the background, so this returns quickly and needs no deadline.
Result<void> ZfsStore::destroy_clone(const std::string& template_name, const std::string& clone_id,
                                     Deadline /*deadline*/) {
  if (!is_clone_name(template_name, clone_id)) {
    return fail("'" + text::printable(clone_id) + "' is not a clone of template '" + template_name + "'");
  }
  auto found = dataset_of(clone_id, fmt::format("type,origin,{}", kClone));
  if (found) {
    if (!is_clone_of(dataset(template_name), *found) && !is_unfinished(template_name, *found)) {
      return fail(fmt::format("{} is not a clone that isolate made of {}; it stays", dataset(clone_id),
                              dataset(template_name)));
    }
    TRY_VOID(zfs::destroy_when_free(dataset(clone_id)));
  } else if (found.error().code() != ENOENT) {
    return fail(std::move(found).error());
  }
  ::rmdir((std::string(kMounts) + "/" + clone_id).c_str());  // after a reboot the directory does not exist
  return {};
}

Result<std::vector<std::string>> ZfsStore::clones(const std::string& template_name) {
  std::vector<std::string> ids;
  for (const auto& found : TRY(zfs::get(parent_, 1, fmt::format("origin,{}", kClone)))) {
    if (found.is_snapshot() || !is_clone_of(dataset(template_name), found)) continue;
    auto id = found.name.substr(parent_.size() + 1);
    if (is_clone_name(template_name, id)) ids.push_back(std::move(id));  // a clone that somebody renamed is theirs now
  }
  return ids;
}

std::string ZfsStore::clone_location(const std::string& clone_id) const {
  return std::string(kMounts) + "/" + clone_id;
}

// The lease has ended, so the clone may be mounted where root can see it.
Result<std::string> ZfsStore::show_kept(const std::string& clone_id) {
  auto place = clone_location(clone_id);
  TRY_VOID(zfs::mount_on(dataset(clone_id), place));
  return place;
}

Result<std::uint64_t> ZfsStore::used_bytes(const std::string& name) {
  return text::number(TRY(dataset_of(name, "used")).value("used"), "used", 0, UINT64_MAX);
}

Result<FileLock> ZfsStore::lock_draft(const std::string& name) {
  TRY_VOID(make_directories(state_directory(), 0700));
  auto file = TRY(open_file(AT_FDCWD, draft_lock(name), O_RDWR | O_CREAT, 0600));
  return FileLock::try_lock(std::move(file), FileLock::Mode::exclusive);
}

Result<std::string> ZfsStore::begin_template(const std::string& name) {
  TRY_VOID(check_template_name(name));
  auto lock = TRY(lock_draft(name));
  TRY_VOID(make_place_for_mounts());
  const auto place = std::string(kMounts) + "/" + name;
  auto made = zfs::run(
      {"create", "-o", set(kDraft, "yes"), "-o", "canmount=noauto", "-o", set("mountpoint", place), dataset(name)});
  if (!made && made.error().code() == EEXIST) {
    return fail(Error(fmt::format("dataset {} already exists", dataset(name)))
                    .advise("change it with isolatectl template edit, or remove it first"));
  }
  TRY(std::move(made));
  drafts_[place] = std::move(lock);
  auto to_fill = mounted(name);
  if (!to_fill) auto ignored = discard_draft(place);  // if this fails, isolatectl gc removes the draft later
  return to_fill;
}

Result<void> ZfsStore::publish_template(const std::string& name, const std::string& draft, const std::string& origin) {
  TRY(zfs::run({"set", set(kOrigin, text::printable(origin)), dataset(name)}));
  TRY(snapshot(name));
  TRY(zfs::run({"inherit", kDraft, dataset(name)}));
  drafts_.erase(draft);
  return {};
}

Result<void> ZfsStore::discard_draft(const std::string& draft) {
  const auto name = draft.substr(draft.rfind('/') + 1);
  if (TRY(dataset_of(name, kDraft)).own(kDraft).empty()) return fail(dataset(name) + " is not a draft");
  TRY(zfs::run({"destroy", "-r", dataset(name)}));
  ::rmdir(draft.c_str());  // fails if the directory is not empty, and then it stays
  ::unlink(draft_lock(name).c_str());
  drafts_.erase(draft);
  return {};
}

Result<std::uint64_t> ZfsStore::publish_clone(const Generation& base, const std::string& /*clone_id*/) {
  return fail("template '" + base.template_name + "' of a ZFS store is changed in place, not through a clone");
}

Result<std::string> ZfsStore::mounted(const std::string& name) {
  const auto place = TRY(dataset_of(name, "mountpoint")).value("mountpoint");
  if (!place.starts_with('/')) {
    return fail(fmt::format("{0} has the mountpoint '{1}'; give it a directory: zfs set mountpoint=/PATH {0}",
                            dataset(name), place));
  }
  TRY_VOID(zfs::mount_on(dataset(name), place));
  return place;
}

// Unmounts a template whose mount point is in kCloneMounts: such a template is mounted only while it is being changed.
void ZfsStore::unmount(const std::string& name) {
  const auto place = std::string(kMounts) + "/" + name;
  if (zfs::is_mounted(place))
    auto ignored = zfs::run({"unmount", dataset(name)});  // if somebody still uses the mount, it stays
}

Result<std::string> ZfsStore::begin_changes(const std::string& name) {
  auto place = TRY(mounted(name));
  if (TRY(has_changes(name))) return place;
  const auto found = TRY(zfs::get(dataset(name), 1, snapshot_properties()));
  // These belong to earlier changes, which have become a generation.
  for (const auto& undo : undo_snapshots(found)) TRY(zfs::run({"destroy", undo}));
  TRY(zfs::run({"snapshot", "-o", set(kUndo, "yes"), dataset(name) + "@undo-" + now_name()}));
  return place;
}

// The undo snapshot is the newest one until the changes have become a generation.
Result<bool> ZfsStore::has_changes(const std::string& name) {
  const auto found = TRY(zfs::get(dataset(name), 1, snapshot_properties()));
  return found.back().is_snapshot() && !found.back().own(kUndo).empty();
}

Result<void> ZfsStore::discard_changes(const std::string& name) {
  const auto found = TRY(zfs::get(dataset(name), 1, snapshot_properties()));
  for (const auto& undo : undo_snapshots(found)) {
    // An undo snapshot that is older than a generation is a leftover: its changes have become that generation.
    if (undo == found.back().name) TRY(zfs::run({"rollback", undo}));
    TRY(zfs::run({"destroy", undo}));
  }
  unmount(name);
  return {};
}

Result<std::uint64_t> ZfsStore::snapshot(const std::string& name) {
  TRY_VOID(check_template_name(name));
  TRY(zfs::run({"snapshot", "-o", set(kGeneration, "yes"), dataset(name) + "@" + now_name()}));
  const auto found = TRY(zfs::get(dataset(name), 1, snapshot_properties()));
  for (const auto& undo : undo_snapshots(found)) TRY(zfs::run({"destroy", undo}));
  unmount(name);
  return generations_in(found, dataset(name)).back().number;
}

Result<void> ZfsStore::remove_template(const std::string& name) {
  TRY_VOID(check_exists(name));
  if (TRY(dataset_of(name, kOrigin)).own(kOrigin).empty()) {
    return fail(fmt::format("{} was not made by isolatectl; remove it yourself: zfs destroy -r {}", dataset(name),
                            dataset(name)));
  }
  // Check first for datasets inside the template and for clones of it, so that removal does not stop half-way.
  const auto found = TRY(zfs::get(dataset(name), 1, "type"));
  for (const auto& other : found) {
    if (!other.is_snapshot() && other.name != dataset(name))
      return fail(other.name + " lies in the template; move it away");
  }
  for (const auto& other : TRY(zfs::get(parent_, 1, "origin"))) {
    if (other.value("origin").starts_with(dataset(name) + "@"))
      return fail(other.name + " was made from the template; destroy it first");
  }
  for (const auto& snapshot : found) {
    if (snapshot.is_snapshot()) TRY(zfs::run({"destroy", snapshot.name}));
  }
  TRY(zfs::run({"destroy", dataset(name)}));
  ::rmdir((std::string(kMounts) + "/" + name).c_str());  // after a reboot the directory does not exist
  ::unlink(draft_lock(name).c_str());
  return {};
}

Result<std::vector<std::string>> ZfsStore::collect_garbage(const std::string& name,
                                                           const std::vector<std::uint64_t>& used) {
  std::vector<std::string> removed;
  const auto generations = generations_in(TRY(zfs::get(dataset(name), 1, snapshot_properties())), dataset(name));
  for (const auto& generation : generations) {
    const bool in_use = generation.name == generations.back().name ||
                        std::find(used.begin(), used.end(), generation.number) != used.end();
    // A snapshot that was made without isolatectl belongs to its maker.
    if (in_use || !generation.is_ours) continue;
    if (!zfs::run({"destroy", generation.name})) continue;  // a clone still depends on it
    removed.push_back("snapshot " + generation.name);
  }
  return removed;
}

Result<std::vector<std::string>> ZfsStore::collect_leftovers() {
  std::vector<std::string> removed;
  for (const auto& found : TRY(zfs::get(parent_, 1, kDraft))) {
    if (found.own(kDraft).empty() || found.is_snapshot()) continue;
    const auto name = found.name.substr(parent_.size() + 1);
    if (!lock_draft(name)) continue;  // another process works on it
    TRY(zfs::run({"destroy", "-r", found.name}));
    ::unlink(draft_lock(name).c_str());
    removed.push_back("leftover of an interrupted command: " + found.name);
  }
  return removed;
}

}  // namespace isolate
