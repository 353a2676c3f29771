// Finds generations among the snapshots of a template in a ZFS store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/zfs_command.h"

namespace isolate::zfs {

// User properties besides core::kCloneMark. A value counts only if it is set on the dataset itself.
namespace property {
constexpr const char* kDraft = "isolate:draft";            // on a template that is being made
constexpr const char* kOrigin = "isolate:origin";          // on a template made by isolatectl: its source
constexpr const char* kGeneration = "isolate:generation";  // on a snapshot made by isolatectl
constexpr const char* kUndo = "isolate:undo";              // on a snapshot that discard_changes() restores
}  // namespace property

struct Snapshot {
  std::string name;
  std::uint64_t number = 0;  // seconds since 1970 times 1000, plus the number of earlier snapshots in the same second
  std::int64_t created = 0;
  bool is_ours = false;
};

// The properties that the following functions need, and kDraft and kOrigin.
std::string snapshot_properties();
// Returns the generations from old to new. Undo snapshots are not generations.
std::vector<Snapshot> generations_in(const std::vector<Dataset>& datasets, const std::string& dataset);
std::vector<std::string> undo_snapshots(const std::vector<Dataset>& datasets);

}  // namespace isolate::zfs
