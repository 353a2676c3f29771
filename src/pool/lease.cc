#include "pool/lease.h"

#include <unistd.h>

#include <cstdint>

#include "base/fault.h"
#include "linux/boot_id.h"
#include "linux/file.h"

namespace isolate {

Result<Lease> Lease::take(Pool* pool, LeaseInfo info) {
  TRY_VOID(check_template_name(pool->template_name()));
  TRY_VOID(pool->check_template());
  auto takers = TRY(pool->lock(FileLock::Mode::shared));
  TRY_VOID(fault_point("lease-begun"));
  auto& store = pool->store();
  auto lease = take(pool, info, TRY(store.generation_for_runs(pool->template_name())));
  if (lease || lease.error().code() != ENOENT || !store.recorded_generation(pool->template_name())) return lease;
  // The snapshot of the recorded generation was destroyed, so the record is wrong.
  return take(pool, info, TRY(store.record_newest_generation(pool->template_name(), false)));
}

Result<Lease> Lease::take(Pool* pool, LeaseInfo info, Generation generation) {
  info.generation = generation.number;
  if (auto fresh = TRY(take_fresh(pool, &info, generation))) return std::move(*fresh);
  info.clone_id = pool->store().new_clone_id(pool->template_name());
  auto lock = TRY(pool->begin_clone(info.clone_id));
  Lease lease(pool, std::move(info), std::move(lock));
  lease.generation_ = std::move(generation);
  auto made = lease.make_clone();
  if (!made) {
    pool->discard_half_made({lease.id()});
    return fail(std::move(made).error());
  }
  return lease;
}

Result<std::optional<Lease>> Lease::take_fresh(Pool* pool, LeaseInfo* info, const Generation& generation) {
  auto names = list_directory(AT_FDCWD, pool->state("fresh"));
  if (!names || names->empty()) return std::optional<Lease>();
  const auto boot = TRY(boot_id());
  for (const auto& id : *names) {
    auto file = open_file(AT_FDCWD, pool->state("fresh", id), O_RDONLY);
    if (!file) continue;  // another process has taken it
    const auto known = lease_info_from(TRY(read_all(file->get())));
    // A used clone can be in fresh/ again after a loss of power, so take only clones of this boot.
    if (known.generation != generation.number || known.boot != boot) continue;
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    TRY_VOID(fault_point("lease-locked"));
    // Rename while holding the lock, so that a file in leased/ is always locked. ENOENT: another process has moved it.
    if (!rename_file(AT_FDCWD, pool->state("fresh", id), AT_FDCWD, pool->state("leased", id))) continue;
    info->clone_id = id;
    Lease lease(pool, *info, std::move(*lock));
    lease.generation_ = generation;
    TRY_VOID(fault_point("lease-moved"));
    TRY_VOID(pool->write_info("leased", lease.info_));
    auto root = pool->store().clone_root(generation, id);
    const auto opened = root ? lease.use_root(std::move(*root)) : fail(root.error());
    // The clone was destroyed from outside; the next reap removes its state.
    if (!opened && opened.error().code() == ENOENT) continue;
    if (!opened) {
      auto ignored = lease.end();
      return fail(opened.error());
    }
    return lease;
  }
  return std::optional<Lease>();
}

// A file system is mounted at once, since only that shows whether the clone exists.
Result<void> Lease::use_root(RootSource root) {
  root_ = std::move(root);
  if (root_.file_system) mounted_root_ = TRY(open_root(root_, false));
  return {};
}

Result<Lease> Lease::resume(Pool* pool, LeaseInfo info) {
  auto takers = TRY(pool->lock(FileLock::Mode::shared));
  auto generation = TRY(pool->store().newest_generation(pool->template_name()));
  auto file = TRY(open_file(AT_FDCWD, pool->state("kept", info.clone_id), O_RDONLY));
  auto lock = TRY(FileLock::try_lock(std::move(file), FileLock::Mode::exclusive));
  info.generation = generation.number;
  Lease lease(pool, std::move(info), std::move(lock));
  TRY_VOID(rename_file(AT_FDCWD, pool->state("kept", lease.id()), AT_FDCWD, pool->state("leased", lease.id())));
  TRY_VOID(pool->write_info("leased", lease.info_));
  lease.root_ = TRY(pool->store().clone_root(generation, lease.id()));
  lease.generation_ = std::move(generation);
  return lease;
}

Result<void> Lease::make_clone() {
  TRY_VOID(pool_->write_info("making", info_));
  TRY_VOID(fault_point("clone-begun"));
  TRY_VOID(pool_->store().make_clone(generation_, id()));
  TRY_VOID(fault_point("clone-made"));
  root_ = TRY(pool_->store().clone_root(generation_, id()));
  return rename_file(AT_FDCWD, pool_->state("making", id()), AT_FDCWD, pool_->state("leased", id()));
}

Result<Fd> Lease::open_info() const { return open_file(AT_FDCWD, pool_->state("leased", id()), O_WRONLY); }

Result<void> Lease::set_user_namespaces(const Fd& info_file, std::uint64_t own, std::uint64_t guest) {
  info_.user_namespace = own;
  info_.guest_namespace = guest;
  return Pool::write_info(info_file, info_);
}

Result<void> Lease::begin_use(std::int64_t now) { return pool_->begin_use(&info_, now); }

Result<void> Lease::end() {
  TRY_VOID(rename_file(AT_FDCWD, pool_->state("leased", id()), AT_FDCWD, pool_->state("trash", id())));
  has_ended_ = true;
  return {};
}

Result<Lease::Dropped> Lease::drop() {
  constexpr std::chrono::seconds kMost{10};
  if (!has_ended_) TRY_VOID(end());
  auto destroyed = pool_->store().destroy_clone(pool_->template_name(), id(), deadline_in(kMost));
  // EBUSY: a mount namespace still contains the clone. The kernel releases it soon.
  if (!destroyed && destroyed.error().code() == EBUSY) return Dropped::busy;
  if (!destroyed && destroyed.error().code() == ETIMEDOUT) {
    pool_->set_aside(id());
    return Dropped::slow;
  }
  TRY_VOID(std::move(destroyed));
  if (::unlink(pool_->state("trash", id()).c_str()) != 0) return fail(errno, "remove lease file of " + id());
  return Dropped::gone;
}

Result<void> Lease::keep() {
  return rename_file(AT_FDCWD, pool_->state("leased", id()), AT_FDCWD, pool_->state("kept", id()));
}

}  // namespace isolate
