#include "pool/pool.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/fault.h"
#include "linux/file.h"
#include "linux/tree.h"

namespace isolate {
namespace {

Result<std::vector<std::string>> names_in(const std::string& path) {
  auto names = list_directory(AT_FDCWD, path);
  if (!names && names.error().code() == ENOENT) return std::vector<std::string>{};
  return names;
}

}  // namespace

Pool::Pool(Store* store, std::string template_name)
    : store_(store), path_(store->state_directory() + "/" + template_name), template_name_(std::move(template_name)) {}

std::string Pool::state(const char* directory, const std::string& clone_id) const {
  return path_ + "/" + directory + (clone_id.empty() ? "" : "/" + clone_id);
}

Result<void> Pool::check_template() const {
  if (::access(state("lock").c_str(), F_OK) != 0) TRY(store_->newest_generation(template_name_));
  return {};
}

Result<void> Pool::make_state_directories() const {
  for (const char* directory : kStates) TRY_VOID(make_directories(state(directory), 0700));
  return {};
}

Result<std::vector<std::string>> Pool::ids_in(const char* directory) const { return names_in(state(directory)); }

Result<FileLock> Pool::lock(FileLock::Mode mode) const {
  auto file = open_file(AT_FDCWD, state("lock"), O_RDWR | O_CREAT, 0600);
  if (!file && file.error().code() == ENOENT) {
    TRY_VOID(make_state_directories());
    file = open_file(AT_FDCWD, state("lock"), O_RDWR | O_CREAT, 0600);
  }
  return FileLock::wait(TRY(std::move(file)), mode);
}

Result<FileLock> Pool::lock_for_edit() const {
  TRY_VOID(make_state_directories());
  auto file = TRY(open_file(AT_FDCWD, state("edit.lock"), O_RDWR | O_CREAT, 0600));
  auto lock = FileLock::try_lock(std::move(file), FileLock::Mode::exclusive);
  if (!lock && lock.error().code() == EWOULDBLOCK) {
    return fail("template '" + template_name_ +
                "' is being edited by another process; try again when that has finished");
  }
  return lock;
}

namespace {

// Opens the file for writing as well, so that closing it does not wake the daemon (see begin_clone()).
Result<LeaseInfo> read_info(const std::string& path, const std::string& clone_id, const std::string& template_name) {
  const auto file = TRY(open_file(AT_FDCWD, path, O_RDWR));
  auto info = lease_info_from(TRY(read_all(file.get())));
  info.clone_id = clone_id;
  info.template_name = template_name;
  return info;
}

}  // namespace

Result<std::vector<LeaseInfo>> Pool::leases() const {
  std::vector<LeaseInfo> held;
  for (const auto& id : TRY(names_in(state("leased")))) {
    auto file = open_lease_file(id);
    if (!file) continue;  // the lease has ended meanwhile
    if (!is_held(id, *file)) continue;
    auto info = read_info(state("leased", id), id, template_name_);
    if (info) held.push_back(std::move(*info));
  }
  return held;
}

Result<Fd> Pool::open_lease_file(const std::string& clone_id) const {
  return open_file(AT_FDCWD, state("leased", clone_id), O_RDWR);
}

Result<void> Pool::begin_use(LeaseInfo* info, std::int64_t now) const {
  info->waits = false;
  info->since = now;
  return write_info("leased", *info);
}

bool Pool::is_held(const std::string& clone_id, const Fd& lease_file) const {
  if (FileLock::is_held_by_others(lease_file)) return true;
  // is_held_by_others() has taken the lock for a moment. A reap that tried the lock in that moment left the lease
  // alone, as if it were in use. Closing this read-only descriptor makes the daemon look again, as the end of the
  // holder does (see begin_clone()). Otherwise it would notice the end only with its next scan, up to 30 seconds later.
  static_cast<void>(open_file(AT_FDCWD, state("leased", clone_id), O_RDONLY));
  return false;
}

Result<std::vector<LeaseInfo>> Pool::infos_in(const char* directory) const {
  std::vector<LeaseInfo> infos;
  for (const auto& id : TRY(names_in(state(directory)))) {
    auto info = read_info(state(directory, id), id, template_name_);
    if (info) infos.push_back(std::move(*info));  // the clone was taken meanwhile
  }
  return infos;
}

Result<std::vector<LeaseInfo>> Pool::kept() const { return infos_in("kept"); }

Result<std::vector<LeaseInfo>> Pool::fresh() const { return infos_in("fresh"); }

Result<PoolStatus> Pool::status() const {
  PoolStatus status;
  status.size = TRY(size());
  status.fresh = TRY(names_in(state("fresh"))).size();
  status.leased = TRY(leases()).size();
  status.kept = TRY(names_in(state("kept"))).size();
  status.trash = TRY(names_in(state("trash"))).size();
  return status;
}

bool Pool::is_draft(const LeaseInfo& info) const {
  if (!info.edit) return false;
  const auto newest = store_->newest_generation(template_name_);
  return newest && newest->number == info.generation;
}

Result<std::optional<LeaseInfo>> Pool::draft() const {
  for (auto& info : TRY(kept())) {
    if (is_draft(info)) return std::optional(std::move(info));
  }
  return std::optional<LeaseInfo>();
}

void Pool::move_ended_run(const std::string& clone_id) const {
  const auto info = read_info(state("leased", clone_id), clone_id, template_name_);
  if (!info) return;  // another reaper has moved it
  const bool is_kept = is_draft(*info);
  if (!is_kept && end_in_trash(*info)) return;
  // The disk has no room for a new state file, so the clone keeps its old one. If the rename fails, another reaper was
  // faster.
  ::rename(state("leased", clone_id).c_str(), state(is_kept ? "kept" : "trash", clone_id).c_str());
}

Result<void> Pool::end_in_trash(const LeaseInfo& info) const {
  const auto& id = info.clone_id;
  // The name contains the pid, because another process may do the same at this moment.
  const auto unlocked = fmt::format("{}/unlocked-{}-{}", path_, id, ::getpid());
  {
    const auto file = TRY(open_file(AT_FDCWD, unlocked, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    // On a full disk the file stays empty, which is enough to destroy the clone.
    static_cast<void>(write_info(file, info));
  }
  auto moved = rename_file(AT_FDCWD, state("leased", id), AT_FDCWD, state("trash", id));
  if (moved) moved = rename_file(AT_FDCWD, unlocked, AT_FDCWD, state("trash", id));
  ::unlink(unlocked.c_str());  // renamed already, unless the lease had gone
  return moved;
}

Result<void> Pool::revoke(const LeaseInfo& info) const {
  if (auto moved = end_in_trash(info); !moved && moved.error().code() != ENOENT) return moved;
  // Closing this reader wakes the daemon, which watches trash/ for IN_CLOSE_NOWRITE.
  const auto reader = open_file(AT_FDCWD, state("trash", info.clone_id), O_RDONLY);
  return {};
}

Result<void> Pool::discard_kept(const std::string& clone_id) {
  return rename_file(AT_FDCWD, state("kept", clone_id), AT_FDCWD, state("trash", clone_id));
}

Result<void> Pool::remove_state() {
  // A run that is ending still has its file in there.
  for (const char* directory : {"trash", "fresh"}) {
    if (!TRY(names_in(state(directory))).empty()) return {};
  }
  return remove_tree(AT_FDCWD, path_);
}

Result<bool> Pool::has_abandoned() const {
  for (const char* directory : {"making", "trash"}) {
    for (const auto& id : TRY(names_in(state(directory)))) {
      const auto file = open_file(AT_FDCWD, state(directory, id), O_RDWR);
      if (file && !FileLock::is_held_by_others(*file)) return true;
    }
  }
  for (const auto& id : TRY(names_in(state("leased")))) {
    const auto file = open_lease_file(id);
    if (file && !is_held(id, *file)) return true;
  }
  return false;
}

Result<FileLock> Pool::begin_clone(const std::string& clone_id) const {
  auto file = TRY(open_file(AT_FDCWD, state("making", clone_id), O_RDONLY | O_CREAT | O_EXCL, 0600));
  return FileLock::try_lock(std::move(file), FileLock::Mode::exclusive);
}

Result<void> Pool::write_info(const char* directory, const LeaseInfo& info) const {
  return write_info(TRY(open_file(AT_FDCWD, state(directory, info.clone_id), O_WRONLY)), info);
}

Result<void> Pool::write_info(const Fd& file, const LeaseInfo& info) {
  const auto text = to_text(info);
  TRY_VOID(write_all(file.get(), text, "state of " + info.clone_id));
  // Truncate after writing, so that the file is never empty. Until then it may be malformed JSON, which readers accept.
  if (::ftruncate(file.get(), static_cast<off_t>(text.size())) != 0) return fail(errno, "truncate " + info.clone_id);
  return {};
}

void Pool::discard_half_made(const std::vector<std::string>& clone_ids) const {
  const auto outcomes = store_->destroy_clones(template_name_, clone_ids, std::nullopt);
  for (std::size_t i = 0; i < clone_ids.size(); ++i) {
    // If the clone can't be destroyed it keeps its state, so that a reap finds it; otherwise only a refresh would.
    if (outcomes[i]) ::unlink(state("making", clone_ids[i]).c_str());
  }
}

bool Pool::is_registered() const { return ::access(state("size").c_str(), F_OK) == 0; }

Result<std::vector<std::string>> pool_names(const Store& store) {
  auto names = TRY(names_in(store.state_directory()));
  std::erase_if(names, [](const std::string& name) { return !check_template_name(name); });
  return names;
}

}  // namespace isolate
