// Refresh: makes fresh clones and destroys used ones.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/fault.h"
#include "base/text.h"
#include "linux/boot_id.h"
#include "linux/file.h"
#include "pool/pool.h"

namespace isolate {

Result<unsigned> Pool::size() const {
  constexpr std::uint64_t kMost = 100000;
  auto text = read_file(state("size"));
  if (!text && text.error().code() == ENOENT) return 0U;
  const auto line = TRY(std::move(text));
  return static_cast<unsigned>(TRY(text::number(line.substr(0, line.find('\n')), state("size"), 0, kMost)));
}

Result<void> Pool::set_size(unsigned size) const {
  return replace_file(state("size"), std::to_string(size) + "\n", 0600);
}

void Pool::signal_use() const {
  constexpr const char* kSignals = "/run/isolate/signal";
  if (::geteuid() != 0 || ::access(state("size").c_str(), F_OK) != 0) return;
  // If this fails the next refresh comes later, which is harmless.
  if (!make_directories("/run/isolate", 0755) || !make_directories(kSignals, 0755)) return;
  const auto path = std::string(kSignals) + "/" + template_name_;
  if (auto file = open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644)) ::futimens(file->get(), nullptr);
}

bool Pool::discard_fresh(const std::string& clone_id) const {
  auto file = open_file(AT_FDCWD, state("fresh", clone_id), O_RDWR);
  // A locked clone is about to be leased by another process.
  return file && FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive) &&
         ::rename(state("fresh", clone_id).c_str(), state("trash", clone_id).c_str()) == 0;
}

Result<void> Pool::discard_outdated(const Generation& newest, bool replace_all) {
  const auto boot = TRY(boot_id());
  for (const auto& info : TRY(fresh())) {
    if (replace_all || info.generation != newest.number || info.boot != boot) discard_fresh(info.clone_id);
  }
  return {};
}

Result<void> Pool::discard_surplus(std::size_t wanted) {
  auto infos = TRY(fresh());
  for (std::size_t count = infos.size(); count > wanted; --count) discard_fresh(infos[count - 1].clone_id);
  return {};
}

// Discards clones of this template that have the store's mark but no state, because the state was lost, and fresh
// clones that exist only by their state, because somebody has destroyed them.
Result<void> Pool::discard_orphans() {
  const auto listed = TRY(list_directory(AT_FDCWD, state("fresh")));
  auto marked = TRY(store_->clones(template_name_));
  std::sort(marked.begin(), marked.end());
  for (const auto& id : listed) {
    if (!std::binary_search(marked.begin(), marked.end(), id)) discard_fresh(id);
  }
  // A process that makes a clone holds this lock until the clone's state is complete.
  auto alone = TRY(lock(FileLock::Mode::exclusive));
  for (const auto& id : marked) {
    const bool is_known = std::any_of(kStates.begin(), kStates.end(), [&](const char* directory) {
      return ::access(state(directory, id).c_str(), F_OK) == 0;
    });
    if (!is_known) TRY(open_file(AT_FDCWD, state("trash", id), O_RDWR | O_CREAT | O_EXCL, 0600));
  }
  return {};
}

// Makes clones and adds their number to `made`.
Result<void> Pool::make_fresh(std::size_t count, std::size_t* made) {
  // A shared lock, so that processes that take clones need not wait for this.
  auto makers = TRY(lock(FileLock::Mode::shared));
  const auto generation = TRY(store_->newest_generation(template_name_));
  LeaseInfo info;
  info.generation = generation.number;
  info.boot = TRY(boot_id());
  std::vector<std::string> ids;
  std::vector<FileLock> locks;
  while (ids.size() < count) {
    info.clone_id = store_->new_clone_id(template_name_);
    locks.push_back(TRY(begin_clone(info.clone_id)));
    TRY_VOID(write_info("making", info));
    ids.push_back(info.clone_id);
  }
  TRY_VOID(fault_point("refresh-begun"));
  const auto outcomes = store_->make_clones(generation, ids);
  TRY_VOID(fault_point("refresh-made"));
  std::vector<std::string> failed;
  Result<void> first_failure;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (outcomes[i]) {
      TRY_VOID(rename_file(AT_FDCWD, state("making", ids[i]), AT_FDCWD, state("fresh", ids[i])));
      TRY_VOID(fault_point("refresh-offered"));
      ++*made;
    } else {
      failed.push_back(ids[i]);
      if (first_failure) first_failure = outcomes[i];
    }
  }
  discard_half_made(failed);
  return first_failure;
}

Result<void> Pool::renew(const RefreshRequest& request, RefreshReport* report) {
  TRY_VOID(check_template());
  TRY_VOID(make_state_directories());
  auto file = TRY(open_file(AT_FDCWD, state("refresh.lock"), O_RDWR | O_CREAT, 0600));
  auto alone = TRY(FileLock::wait(std::move(file), FileLock::Mode::exclusive));
  if (request.size) TRY_VOID(set_size(*request.size));
  const auto wanted = TRY(size());
  const auto newest = TRY(store_->record_newest_generation(template_name_, wanted > 0));

  TRY_VOID(discard_outdated(newest, request.replace_all));
  TRY_VOID(discard_orphans());
  TRY_VOID(discard_surplus(wanted));
  TRY_VOID(fault_point("refresh-discarded"));
  report->fresh = TRY(fresh()).size();
  Result<void> outcome;
  while (outcome && request.make_new && report->fresh < wanted) {
    std::size_t made = 0;
    outcome = make_fresh(std::min(wanted - report->fresh, store_->clones_at_a_time()), &made);
    report->fresh += made;
    report->made += made;
  }
  return outcome;
}

Result<RefreshReport> Pool::refresh(const RefreshRequest& request) {
  RefreshReport report;
  auto renewed = renew(request, &report);
  // Without refresh.lock: guests decide how long this takes, and other refreshes must not wait for it.
  auto reaped = reap(ReapLimits{});
  const bool was_full = !renewed && (renewed.error().code() == ENOSPC || renewed.error().code() == EDQUOT);
  if (was_full && reaped && !reaped->destroyed.empty())
    renewed = renew({request.size, false, request.make_new}, &report);
  TRY_VOID(std::move(renewed));
  if (reaped) {
    report.takes_long = reaped->failure && !reaped->slow.empty();
    if (auto outcome = reaped->outcome(); !outcome) report.reason = outcome.error().message();
    report.destroyed = std::move(reaped->destroyed);
  } else {
    report.reason = reaped.error().message();
  }
  // Reads only the names. Opening the files could wake the daemon, which watches this directory.
  if (auto busy = list_directory(AT_FDCWD, state("trash"))) report.busy = std::move(*busy);
  return report;
}

}  // namespace isolate
