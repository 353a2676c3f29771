#include "store/zfs_clones.h"

#include <errno.h>
#include <fmt/format.h>

#include "store/zfs_core.h"
#include "store/zfs_mount.h"

namespace isolate::zfs {
namespace {

using Outcomes = std::vector<Result<void>>;

// ZFS sets the properties of a clone a moment after it has made the clone. If the machine crashes in between, the clone
// has no mark. This recognises such a clone: nothing was written to it. Its name is known to the pool's state.
bool is_unfinished(const std::string& template_dataset, const Dataset& clone) {
  if (!clone.own(core::kCloneMark).empty() || !clone.value("origin").starts_with(template_dataset + "@")) return false;
  auto written = get(clone.name, 1, "written");
  return written && written->size() == 1 && written->front().value("written") == "0";
}

Result<void> not_ours(const std::string& template_dataset, const std::string& dataset) {
  return fail(fmt::format("{} is not a clone that isolate made of {}; it stays", dataset, template_dataset));
}

Result<void> clone_by_program(const std::string& mounts, const std::string& snapshot, const std::string& dataset) {
  const auto place = mounts + dataset.substr(dataset.rfind('/'));
  TRY(run({"clone", "-o", fmt::format("{}={}", core::kCloneMark, snapshot), "-o", "canmount=noauto", "-o",
           "mountpoint=" + place, snapshot, dataset}));
  return {};
}

Result<void> destroy_by_program(const std::string& template_dataset, const std::string& dataset) {
  const auto found = get(dataset, 0, fmt::format("type,origin,{}", core::kCloneMark));
  if (!found && found.error().code() == ENOENT) return {};
  if (!found) return fail(found.error());
  const auto& clone = found->front();
  if (!is_clone_of(template_dataset, clone) && !is_unfinished(template_dataset, clone)) {
    return not_ours(template_dataset, dataset);
  }
  auto destroyed = run_when_free({"destroy", dataset});
  // ENOENT: another zfs command has destroyed it. It may be one whose caller was killed.
  if (!destroyed && destroyed.error().code() != ENOENT) return fail(std::move(destroyed).error());
  return {};
}

// The same error for each dataset.
Outcomes all_failed(const Error& error, std::size_t count) {
  Outcomes outcomes;
  while (outcomes.size() < count) outcomes.push_back(fail(error));
  return outcomes;
}

Result<void> outcome_of(int code, const std::string& what) {
  if (code == 0) return {};
  return fail(code, "zfs " + what);
}

// Clones that the library found busy, and their places in the list of all.
struct Busy {
  std::vector<std::string> datasets;
  std::vector<std::size_t> places;
};

Busy busy_ones(const std::vector<std::string>& datasets, const std::vector<int>& codes) {
  Busy busy;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] != EBUSY) continue;
    busy.datasets.push_back(datasets[i]);
    busy.places.push_back(i);
  }
  return busy;
}

// The library does not unmount. A clone is mounted on the host if it was kept, or if the machine crashed before the
// clone had its properties, and mounted everything when it booted.
void unmount_from_host(const std::string& mounts, const Busy& busy, bool is_last_try) {
  for (const auto& dataset : busy.datasets) {
    unmount_place(mounts + dataset.substr(dataset.rfind('/')));
    if (is_last_try) auto ignored = run({"unmount", dataset});
  }
}

// Destroys the datasets with the library, and tries those that are busy again.
Result<std::vector<int>> destroy_when_free(const std::string& mounts, const std::string& template_dataset,
                                           const std::vector<std::string>& datasets, Deadline deadline) {
  auto codes = TRY(core::destroy(template_dataset, datasets));
  for (int i = 1; i < kTriesWhenBusy; ++i) {
    const auto busy = busy_ones(datasets, codes);
    if (busy.datasets.empty() || has_passed(deadline)) break;
    unmount_from_host(mounts, busy, i == kTriesWhenBusy - 1);
    pause_when_busy();
    const auto again = TRY(core::destroy_busy(busy.datasets));
    for (std::size_t k = 0; k < again.size(); ++k) codes[busy.places[k]] = again[k];
  }
  return codes;
}

}  // namespace

bool is_clone_of(const std::string& template_dataset, const Dataset& dataset) {
  return !dataset.own(core::kCloneMark).empty() && dataset.value("origin").starts_with(template_dataset + "@");
}

Outcomes make_clones(const std::string& mounts, const std::string& snapshot, const std::vector<std::string>& datasets) {
  Outcomes outcomes;
  if (datasets.empty()) return outcomes;
  const auto codes = core::clone(mounts, snapshot, datasets);
  if (!codes && codes.error().code() != ENOSYS) return all_failed(codes.error(), datasets.size());
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    outcomes.push_back(codes ? outcome_of((*codes)[i], "clone " + datasets[i])
                             : clone_by_program(mounts, snapshot, datasets[i]));
  }
  return outcomes;
}

Outcomes destroy_clones(const std::string& mounts, const std::string& template_dataset,
                        const std::vector<std::string>& datasets, Deadline deadline) {
  Outcomes outcomes;
  if (datasets.empty()) return outcomes;
  const auto codes = destroy_when_free(mounts, template_dataset, datasets, deadline);
  if (!codes && codes.error().code() != ENOSYS) return all_failed(codes.error(), datasets.size());
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    if (!codes && i > 0 && has_passed(deadline)) {
      outcomes.push_back(fail(ETIMEDOUT, "zfs destroy " + datasets[i]));
    } else if (!codes) {
      outcomes.push_back(destroy_by_program(template_dataset, datasets[i]));
    } else if ((*codes)[i] == EEXIST) {
      outcomes.push_back(fail(Error(datasets[i] + " has snapshots or datasets of its own")
                                  .advise("destroy them: zfs list -r -t all " + datasets[i])));
    } else if ((*codes)[i] == EPERM) {
      outcomes.push_back(not_ours(template_dataset, datasets[i]));
    } else {
      outcomes.push_back(outcome_of((*codes)[i] == ENOENT ? 0 : (*codes)[i], "destroy " + datasets[i]));
    }
  }
  return outcomes;
}

}  // namespace isolate::zfs
