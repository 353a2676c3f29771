// The zfs program, called with argument vectors and in a clean environment; its output is that of -H -p.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate::zfs {

// Errors: ENOENT the dataset does not exist, EBUSY it is in use, EEXIST there is one already, ENOSPC, EACCES: zfs tells
// them by words only; otherwise its own words. One that was killed is an error without a code: whether it had done its
// work is not known.
Result<std::string> run(const std::vector<std::string>& arguments);

struct Property {
  std::string value;      // "-": not set
  bool is_local = false;  // set on the dataset itself, not inherited
};

struct Dataset {
  std::string name;
  std::map<std::string, Property> properties;
  bool is_snapshot() const { return name.find('@') != std::string::npos; }
  std::string value(const std::string& property) const;
  // The value, if it was set on the dataset itself; otherwise empty.
  std::string own(const std::string& property) const;
};

// The dataset, and those down to `depth` below it, snapshots too; snapshots of one dataset from old to new.
Result<std::vector<Dataset>> get(const std::string& dataset, int depth, const std::string& properties);

// Names of datasets have a small alphabet (zfs(8)), and no part of one may begin with '-' here.
Result<void> check_dataset_name(std::string_view name);

}  // namespace isolate::zfs
