#include "pool/lease.h"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "linux/file.h"

namespace isolate {
namespace {

std::string to_text(const LeaseInfo& info) {
  const nlohmann::json json = {{"clone", info.clone_id},
                               {"template", info.template_name},
                               {"engine", info.engine},
                               {"user", info.user},
                               {"pid", info.pid},
                               {"since", info.since},
                               {"generation", info.generation}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// What can't be read stays empty: the file is for showing only.
LeaseInfo from_text(const std::string& text) {
  LeaseInfo info;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return info;
  auto string = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  // From 0 to `most`.
  auto number = [&json](const char* key, std::uint64_t most) -> std::uint64_t {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) return 0;
    const auto value = found->get<std::uint64_t>();
    return value <= most ? value : 0;
  };
  info.engine = string("engine");
  info.user = string("user");
  info.pid = static_cast<std::int64_t>(number("pid", INT64_MAX));
  info.since = static_cast<std::int64_t>(number("since", INT64_MAX));
  info.generation = static_cast<unsigned>(number("generation", UINT_MAX));
  return info;
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  auto names = list_directory(AT_FDCWD, path);
  if (!names && names.error().code() == ENOENT) return std::vector<std::string>{};
  return names;
}

}  // namespace

Pool::Pool(Store* store, std::string store_path, std::string template_name)
    : store_(store),
      path_(std::move(store_path) + "/pools/" + template_name),
      template_name_(std::move(template_name)) {}

std::string Pool::state(const char* directory, const std::string& clone_id) const {
  return path_ + "/" + directory + (clone_id.empty() ? "" : "/" + clone_id);
}

Result<void> Pool::make_state_directories() const {
  for (const char* directory : {"making", "leased", "trash", "kept"})
    TRY_VOID(make_directories(state(directory), 0700));
  return {};
}

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
    return fail("template '" + template_name_ + "' is being edited by somebody else; try again when that has ended");
  }
  return lock;
}

namespace {

Result<LeaseInfo> read_info(const std::string& path, const std::string& clone_id, const std::string& template_name) {
  auto info = from_text(TRY(read_file(path)));
  info.clone_id = clone_id;
  info.template_name = template_name;
  return info;
}

}  // namespace

Result<std::vector<LeaseInfo>> Pool::leases() const {
  std::vector<LeaseInfo> held;
  for (const auto& id : TRY(names_in(state("leased")))) {
    auto file = open_file(AT_FDCWD, state("leased", id), O_RDWR);
    if (!file) continue;  // ended since, ignoring
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::shared);
    if (lock || lock.error().code() != EWOULDBLOCK) continue;
    auto info = read_info(state("leased", id), id, template_name_);
    if (info) held.push_back(std::move(*info));
  }
  return held;
}

Result<std::vector<LeaseInfo>> Pool::kept() const {
  std::vector<LeaseInfo> infos;
  for (const auto& id : TRY(names_in(state("kept"))))
    infos.push_back(TRY(read_info(state("kept", id), id, template_name_)));
  return infos;
}

Result<void> Pool::move_abandoned_to_trash(const char* from) const {
  for (const auto& id : TRY(names_in(state(from)))) {
    auto file = open_file(AT_FDCWD, state(from, id), O_RDWR);
    if (!file) continue;  // ended since, ignoring
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    // Renamed while locked: two reapers do not get in each other's way, ignoring that the other was faster.
    ::rename(state(from, id).c_str(), state("trash", id).c_str());
  }
  return {};
}

Result<std::vector<std::string>> Pool::reap() {
  TRY_VOID(move_abandoned_to_trash("leased"));
  if (!TRY(names_in(state("making"))).empty()) {
    // Nobody is between making a state file and locking it while this lock is held.
    auto alone = TRY(lock(FileLock::Mode::exclusive));
    TRY_VOID(move_abandoned_to_trash("making"));
  }
  std::vector<std::string> reaped;
  Result<void> outcome;
  for (const auto& id : TRY(names_in(state("trash")))) {
    auto file = open_file(AT_FDCWD, state("trash", id), O_RDWR);
    if (!file) continue;  // another reaper was faster, ignoring
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    // One that can't be removed must not keep the others.
    if (auto destroyed = store_->destroy_clone(id); !destroyed) {
      if (outcome) outcome = std::move(destroyed);
      continue;
    }
    ::unlink(state("trash", id).c_str());
    reaped.push_back(id);
  }
  TRY_VOID(std::move(outcome));
  return reaped;
}

Result<void> Pool::remove_kept(const std::string& clone_id) {
  TRY_VOID(rename_file(AT_FDCWD, state("kept", clone_id), AT_FDCWD, state("trash", clone_id)));
  TRY(reap());
  return {};
}

Result<void> Pool::remove_state() {
  // A run that is just ending still has its file there.
  if (!TRY(names_in(state("trash"))).empty()) return {};
  return remove_tree(AT_FDCWD, path_);
}

Result<bool> Pool::has_abandoned() const {
  if (!TRY(names_in(state("making"))).empty() || !TRY(names_in(state("trash"))).empty()) return true;
  for (const auto& id : TRY(names_in(state("leased")))) {
    auto file = open_file(AT_FDCWD, state("leased", id), O_RDWR);
    if (file && FileLock::try_lock(std::move(*file), FileLock::Mode::shared)) return true;
  }
  return false;
}

Result<std::vector<std::string>> pool_names(const std::string& store_path) { return names_in(store_path + "/pools"); }

Result<Lease> Lease::take(Pool* pool, LeaseInfo info) {
  TRY_VOID(check_template_name(pool->template_name()));
  // No state directories for a template that does not exist.
  if (::access(pool->state("lock").c_str(), F_OK) != 0) TRY(pool->store().newest_generation(pool->template_name()));
  auto takers = TRY(pool->lock(FileLock::Mode::shared));
  auto generation = TRY(pool->store().newest_generation(pool->template_name()));
  info.clone_id = pool->template_name() + "-" + random_name();
  info.generation = generation.number;

  const std::string making = pool->state("making", info.clone_id);
  auto file = TRY(open_file(AT_FDCWD, making, O_RDWR | O_CREAT | O_EXCL, 0600));
  auto lock = TRY(FileLock::try_lock(std::move(file), FileLock::Mode::exclusive));
  Lease lease(pool, std::move(info), std::move(lock));
  lease.generation_ = std::move(generation);
  auto made = lease.make_clone();
  if (!made) {
    // What was made goes again; what does not go now is found by the next reap, ignoring.
    auto ignored = pool->store().destroy_clone(lease.id());
    ::unlink(making.c_str());
    return fail(std::move(made).error());
  }
  return lease;
}

Result<void> Lease::make_clone() {
  TRY_VOID(write_all(lock_.fd(), to_text(info_), "lease file"));
  root_ = TRY(pool_->store().make_clone(generation_, info_.clone_id));
  return rename_file(AT_FDCWD, pool_->state("making", id()), AT_FDCWD, pool_->state("leased", id()));
}

Result<void> Lease::drop() {
  TRY_VOID(rename_file(AT_FDCWD, pool_->state("leased", id()), AT_FDCWD, pool_->state("trash", id())));
  TRY_VOID(pool_->store().destroy_clone(id()));
  if (::unlink(pool_->state("trash", id()).c_str()) != 0) return fail(errno, "remove lease file of " + id());
  return {};
}

Result<void> Lease::keep() {
  return rename_file(AT_FDCWD, pool_->state("leased", id()), AT_FDCWD, pool_->state("kept", id()));
}

}  // namespace isolate
