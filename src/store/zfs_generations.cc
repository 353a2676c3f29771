#include "store/zfs_generations.h"

#include <fmt/format.h>

#include "base/text.h"

namespace isolate::zfs {

using namespace property;

std::string snapshot_properties() {
  return fmt::format("type,creation,{},{},{},{}", kDraft, kOrigin, kGeneration, kUndo);
}

std::vector<Snapshot> generations_in(const std::vector<Dataset>& datasets, const std::string& dataset) {
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

std::vector<std::string> undo_snapshots(const std::vector<Dataset>& datasets) {
  std::vector<std::string> names;
  for (const auto& found : datasets) {
    if (found.is_snapshot() && !found.own(kUndo).empty()) names.push_back(found.name);
  }
  return names;
}

}  // namespace isolate::zfs
