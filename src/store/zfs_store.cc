#include "store/zfs_store.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "store/zfs_clones.h"
#include "store/zfs_core.h"
#include "store/zfs_generations.h"
#include "store/zfs_mount.h"

namespace isolate {
namespace {

using namespace zfs::property;

constexpr const char* kState = "/var/lib/isolate/zfs";

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

Result<void> make_place_for_mounts() {
  TRY_VOID(make_directories("/run/isolate", 0755));
  return make_directories(kCloneMounts, 0700);
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
  auto found = dataset_of(name, fmt::format("type,{},{}", zfs::core::kCloneMark, kDraft));
  if (found) return found->own(zfs::core::kCloneMark).empty() && found->own(kDraft).empty();
  if (found.error().code() == ENOENT) return false;
  return fail(std::move(found).error());
}

Result<TemplateInfo> ZfsStore::info(const std::string& name) {
  TRY_VOID(check_exists(name));
  const auto found = TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties()));
  const auto generations = zfs::generations_in(found, dataset(name));
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
  for (const auto& found : TRY(zfs::get(parent_, 1, fmt::format("type,{},{}", zfs::core::kCloneMark, kDraft)))) {
    const auto name = found.name.substr(std::min(found.name.size(), parent_.size() + 1));
    if (found.value("type") != "filesystem" || !check_template_name(name)) continue;
    if (!found.own(zfs::core::kCloneMark).empty() || !found.own(kDraft).empty()) continue;
    auto known = info(name);
    infos.push_back(known ? std::move(*known) : TemplateInfo{name, "zfs", 0, 0, 0, "", known.error().message()});
  }
  return infos;
}

Result<Generation> ZfsStore::newest_generation(const std::string& name) {
  TRY_VOID(check_template_name(name));
  auto found = zfs::get(dataset(name), 1, zfs::snapshot_properties());
  if (!found && found.error().code() == ENOENT) TRY_VOID(check_exists(name));
  const auto datasets = TRY(std::move(found));
  const auto generations = zfs::generations_in(datasets, dataset(name));
  if (generations.empty() || !datasets.front().own(kDraft).empty()) {
    return fail(Error(fmt::format("template '{}' has no snapshot", dataset(name)))
                    .advise("make one: isolatectl template snapshot " + name));
  }
  return Generation{name, generations.back().number, {}, generations.back().name};
}

std::optional<Generation> ZfsStore::recorded_generation(const std::string& name) {
  const auto record = records(name).read();
  return record ? std::optional(record->newest) : std::nullopt;
}

Result<Generation> ZfsStore::record_newest_generation(const std::string& name, bool is_kept) {
  const auto alone = records(name).lock();
  auto newest = TRY(newest_generation(name));
  // With zfs-fuse a run asks ZFS anyway, which has to mount the clone. Without a record runs only take longer, so a
  // full disk is no error here.
  if (is_kept && zfs::kernel_has_zfs() && alone) {
    const auto written = write_record(newest);
    if (written) return newest;
    trace::line("no record of " + newest.snapshot + ": " + written.error().message());
  }
  TRY_VOID(records(name).remove());
  return newest;
}

Result<void> ZfsStore::write_record(const Generation& newest) {
  const auto parent = TRY(zfs::get(parent_, 0, zfs::inherited_mount_properties())).front();
  for (const auto& [name, property] : parent.properties) {
    if (property.is_temporary) return fail(name + " is an option of a mount, which clones do not inherit");
  }
  return records(newest.template_name).write({newest, parent});
}

std::size_t ZfsStore::clones_at_a_time() const {
  constexpr std::size_t kMost = 32;
  return zfs::core::may_be_used() ? kMost : 1;
}

std::string ZfsStore::new_clone_id(const std::string& template_name) const {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return fmt::format("{}_{}{:09}", template_name, now.tv_sec, now.tv_nsec);
}

std::vector<Result<void>> ZfsStore::make_clones(const Generation& generation,
                                                const std::vector<std::string>& clone_ids) {
  auto ready = make_place_for_mounts();
  // A crash can leave a clone without the mark (see zfs_clones.cc). Its name has to be on disk by then.
  if (ready) ready = sync_directory(state_directory() + "/" + generation.template_name + "/making");
  if (!ready) return std::vector<Result<void>>(clone_ids.size(), ready);
  std::vector<std::string> datasets;
  for (const auto& id : clone_ids) datasets.push_back(dataset(id));
  return zfs::make_clones(kCloneMounts, generation.snapshot, datasets);
}

RootSource ZfsStore::planned_root(const Generation& /*generation*/, const std::string& clone_id) const {
  if (!zfs::kernel_has_zfs()) return RootSource{{}, clone_location(clone_id)};
  return RootSource{{}, "", mount::FileSystem{"zfs", {{"source", dataset(clone_id)}}}};
}

Result<RootSource> ZfsStore::clone_root(const Generation& generation, const std::string& clone_id) {
  auto root = planned_root(generation, clone_id);
  if (root.file_system) {
    const auto record = records(generation.template_name).read();
    auto clone = record ? record->parent : TRY(dataset_of(clone_id, zfs::mount_properties()));
    clone.name = dataset(clone_id);
    clone.properties["mountpoint"].value = clone_location(clone_id);
    root.file_system = TRY(zfs::file_system_of(clone));
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

// ZFS frees the space in the background, so this takes long only if the zfs program destroys many clones.
std::vector<Result<void>> ZfsStore::destroy_clones(const std::string& template_name,
                                                   const std::vector<std::string>& clone_ids, Deadline deadline) {
  std::vector<Result<void>> outcomes(clone_ids.size());
  std::vector<std::string> datasets;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < clone_ids.size(); ++i) {
    if (!is_clone_name(template_name, clone_ids[i])) {
      outcomes[i] = fail("'" + text::printable(clone_ids[i]) + "' is not a clone of template '" + template_name + "'");
      continue;
    }
    datasets.push_back(dataset(clone_ids[i]));
    places.push_back(i);
  }
  auto destroyed = zfs::destroy_clones(kCloneMounts, dataset(template_name), datasets, deadline);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (destroyed[i]) ::rmdir(clone_location(clone_ids[places[i]]).c_str());  // not there after a reboot
    outcomes[places[i]] = std::move(destroyed[i]);
  }
  return outcomes;
}

Result<std::vector<std::string>> ZfsStore::clones(const std::string& template_name) {
  std::vector<std::string> ids;
  for (const auto& found : TRY(zfs::get(parent_, 1, fmt::format("origin,{}", zfs::core::kCloneMark)))) {
    if (found.is_snapshot() || !zfs::is_clone_of(dataset(template_name), found)) continue;
    auto id = found.name.substr(parent_.size() + 1);
    if (is_clone_name(template_name, id)) ids.push_back(std::move(id));  // a clone that somebody renamed is theirs now
  }
  return ids;
}

std::string ZfsStore::clone_location(const std::string& clone_id) const {
  return std::string(kCloneMounts) + "/" + clone_id;
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
  const auto place = std::string(kCloneMounts) + "/" + name;
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
  const auto place = std::string(kCloneMounts) + "/" + name;
  if (zfs::is_mounted(place))
    auto ignored = zfs::run({"unmount", dataset(name)});  // if somebody still uses the mount, it stays
}

Result<std::string> ZfsStore::begin_changes(const std::string& name) {
  auto place = TRY(mounted(name));
  if (TRY(has_changes(name))) return place;
  const auto found = TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties()));
  // These belong to earlier changes, which have become a generation.
  for (const auto& undo : zfs::undo_snapshots(found)) TRY(zfs::run({"destroy", undo}));
  TRY(zfs::run({"snapshot", "-o", set(kUndo, "yes"), dataset(name) + "@undo-" + now_name()}));
  return place;
}

// The undo snapshot is the newest one until the changes have become a generation.
Result<bool> ZfsStore::has_changes(const std::string& name) {
  const auto found = TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties()));
  return found.back().is_snapshot() && !found.back().own(kUndo).empty();
}

Result<void> ZfsStore::discard_changes(const std::string& name) {
  const auto found = TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties()));
  for (const auto& undo : zfs::undo_snapshots(found)) {
    // An undo snapshot that is older than a generation is a leftover: its changes have become that generation.
    if (undo == found.back().name) TRY(zfs::run({"rollback", undo}));
    TRY(zfs::run({"destroy", undo}));
  }
  unmount(name);
  return {};
}

Result<std::uint64_t> ZfsStore::snapshot(const std::string& name) {
  TRY_VOID(check_template_name(name));
  // From now on runs look themselves, until a refresh has seen the new generation.
  const auto alone = records(name).lock();
  if (!alone && alone.error().code() != ENOENT) return fail(alone.error());
  TRY_VOID(records(name).remove());
  TRY(zfs::run({"snapshot", "-o", set(kGeneration, "yes"), dataset(name) + "@" + now_name()}));
  const auto found = TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties()));
  for (const auto& undo : zfs::undo_snapshots(found)) TRY(zfs::run({"destroy", undo}));
  unmount(name);
  return zfs::generations_in(found, dataset(name)).back().number;
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
  ::rmdir((std::string(kCloneMounts) + "/" + name).c_str());  // after a reboot the directory does not exist
  ::unlink(draft_lock(name).c_str());
  return {};
}

Result<std::vector<std::string>> ZfsStore::collect_garbage(const std::string& name,
                                                           const std::vector<std::uint64_t>& used) {
  std::vector<std::string> removed;
  const auto generations =
      zfs::generations_in(TRY(zfs::get(dataset(name), 1, zfs::snapshot_properties())), dataset(name));
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
