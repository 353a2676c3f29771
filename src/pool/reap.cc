// Reaping: destroys used clones, whatever their guests have left in them.
#include <fmt/format.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/fault.h"
#include "linux/file.h"
#include "pool/pool.h"

namespace isolate {

Result<void> Pool::move_abandoned_to_trash(const char* from) const {
  for (const auto& id : TRY(ids_in(from))) {
    auto file = open_file(AT_FDCWD, state(from, id), O_RDWR);
    if (!file) continue;  // another process has moved it meanwhile
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    TRY_VOID(fault_point("reap-locked"));
    // Rename while holding the lock, so that two reapers do not disturb each other. If it fails, another one was
    // faster.
    if (std::string_view(from) == "leased") {
      move_ended_run(id);
    } else {
      ::rename(state(from, id).c_str(), state("trash", id).c_str());
    }
  }
  return {};
}

Result<void> Pool::move_all_abandoned_to_trash() const {
  TRY_VOID(move_abandoned_to_trash("leased"));
  if (TRY(ids_in("making")).empty()) return {};
  // While this lock is held, no process is between creating a state file and locking it.
  auto alone = TRY(lock(FileLock::Mode::exclusive));
  return move_abandoned_to_trash("making");
}

// Returns first the clones that were never set aside, then the others, the longest waiting first.
Result<std::vector<std::string>> Pool::trash_in_order() const {
  std::vector<std::pair<std::int64_t, std::string>> turns;
  for (auto& id : TRY(ids_in("trash"))) {
    // Opens for writing as well, so that closing it does not wake the daemon (see begin_clone()).
    const auto file = open_file(AT_FDCWD, state("trash", id), O_RDWR);
    if (!file) continue;  // another reaper has destroyed it
    const auto text = read_all(file->get());
    turns.emplace_back(text ? lease_info_from(*text).set_aside : 0, std::move(id));
  }
  std::sort(turns.begin(), turns.end());
  std::vector<std::string> ids;
  for (auto& turn : turns) ids.push_back(std::move(turn.second));
  return ids;
}

// If this fails, the clone is tried too early the next time, which is harmless.
void Pool::set_aside(const std::string& clone_id) const {
  const auto file = open_file(AT_FDCWD, state("trash", clone_id), O_RDWR);
  if (!file) return;
  const auto text = read_all(file->get());
  if (!text) return;
  auto info = lease_info_from(*text);
  info.clone_id = clone_id;
  info.template_name = template_name_;
  info.set_aside = ::time(nullptr);
  static_cast<void>(write_info("trash", info));
}

// Takes up to `most` clones from the front of `waiting` that no other process destroys.
Result<Pool::TrashBatch> Pool::lock_trash(std::deque<std::string>* waiting, std::size_t most) const {
  TrashBatch batch;
  while (!waiting->empty() && batch.ids.size() < most) {
    auto id = std::move(waiting->front());
    waiting->pop_front();
    auto file = open_file(AT_FDCWD, state("trash", id), O_RDWR);
    if (!file) continue;  // another reaper has destroyed it
    auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
    if (!lock) continue;
    TRY_VOID(fault_point("reap-moved"));
    batch.ids.push_back(std::move(id));
    batch.locks.push_back(std::move(*lock));
  }
  return batch;
}

Result<ReapReport> Pool::reap(const ReapLimits& limits) {
  TRY_VOID(move_all_abandoned_to_trash());
  const auto end = std::chrono::steady_clock::now() + limits.in_all;
  ReapReport report;
  const auto ids = TRY(trash_in_order());
  std::deque<std::string> waiting(ids.begin(), ids.end());
  while (!waiting.empty() && !has_passed(end)) {
    const auto batch = TRY(lock_trash(&waiting, store_->clones_at_a_time()));
    auto outcomes = store_->destroy_clones(template_name_, batch.ids, std::min(end, *deadline_in(limits.per_clone)));
    for (std::size_t i = 0; i < batch.ids.size(); ++i) {
      const auto& id = batch.ids[i];
      if (outcomes[i]) {
        TRY_VOID(fault_point("reap-destroyed"));
        ::unlink(state("trash", id).c_str());
        report.destroyed.push_back(id);
      } else if (outcomes[i].error().code() == ETIMEDOUT) {
        set_aside(id);
        waiting.push_back(id);
      } else {
        // A clone that can't be removed must not keep the others from being removed, now or the next time.
        set_aside(id);
        if (report.failure) report.failure = std::move(outcomes[i]);
      }
    }
  }
  report.slow.assign(waiting.begin(), waiting.end());
  return report;
}

Result<std::vector<std::string>> Pool::wait_for_removals(std::chrono::milliseconds most) const {
  constexpr unsigned kPause = 2000;  // microseconds
  const auto end = std::chrono::steady_clock::now() + most;
  std::vector<std::string> left;
  for (auto& id : TRY(ids_in("trash"))) {
    const auto file = open_file(AT_FDCWD, state("trash", id), O_RDWR);
    bool is_held = file && FileLock::is_held_by_others(*file);
    while (is_held && !has_passed(end)) {
      ::usleep(kPause);
      is_held = FileLock::is_held_by_others(*file);
    }
    if (is_held) left.push_back(std::move(id));
  }
  return left;
}

Result<std::vector<std::string>> Pool::reap() {
  auto report = TRY(reap(ReapLimits{}));
  TRY_VOID(report.outcome());
  return std::move(report.destroyed);
}

Result<void> ReapReport::outcome() const {
  if (!failure || slow.empty()) return failure;
  return fail(fmt::format("clone {} takes long to remove; the rest of it is removed later", slow.front()));
}

}  // namespace isolate
