// Runs the programs that work on ZFS, and reads the properties of datasets. The zfs program gets an argument vector and
// a clean environment, and its output is parsed only from -H -p.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/process.h"

namespace isolate::zfs {

// Runs a program that works on datasets; arguments[0] says what it does. Errors: it can't be started; the output is too
// long to be kept.
Result<Output> execute(const std::string& program, const std::vector<std::string>& arguments);
// The error of a program that was killed. Its work may or may not be done.
Error was_ended(const std::string& name, const std::vector<std::string>& arguments, int signal);

// Runs the zfs program and returns its output. Errors: zfs reports them only as text, from which these codes are
// derived: ENOENT the dataset does not exist; EBUSY it is in use; EEXIST it exists already; ENOSPC; EACCES. For others
// the text itself. If zfs was killed, the error has no code.
Result<std::string> run(const std::vector<std::string>& arguments);

struct Property {
  std::string value;      // "-": the property has no value
  bool is_local = false;  // set on the dataset itself rather than inherited
  // Not the dataset's own value, but an option of its mount, as this process sees it.
  bool is_temporary = false;
};

struct Dataset {
  std::string name;
  std::map<std::string, Property> properties;
  bool is_snapshot() const { return name.find('@') != std::string::npos; }
  std::string value(const std::string& property) const;
  // Returns the value if it was set on the dataset itself, otherwise "".
  std::string own(const std::string& property) const;
};

// Returns the dataset and its descendants down to `depth` levels, with their snapshots. Snapshots of a dataset are
// ordered from old to new.
Result<std::vector<Dataset>> get(const std::string& dataset, int depth, const std::string& properties);

// Checks the name of a dataset (zfs(8)). No component may begin with '-', which zfs could take for an option.
Result<void> check_dataset_name(std::string_view name);

}  // namespace isolate::zfs
