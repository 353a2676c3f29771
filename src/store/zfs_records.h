// What runs need to know of a template in a ZFS store. A refresh writes it down, so that runs need not ask ZFS. A
// record that is missing, malformed or incomplete counts as none.
#pragma once

#include <optional>
#include <string>

#include "linux/lock.h"
#include "store/store.h"
#include "store/zfs_command.h"

namespace isolate::zfs {

struct Record {
  Generation newest;
  // The properties of the store's dataset that decide how clones are mounted (inherited_mount_properties()). All clones
  // inherit them.
  Dataset parent;
};

class Records {
 public:
  // `state_directory` is that of the store. A template without clones has no directory there, and gets no record.
  explicit Records(const std::string& state_directory, const std::string& template_name)
      : directory_(state_directory + "/" + template_name), template_name_(template_name) {}

  std::optional<Record> read() const;
  // Whoever writes a record holds this lock from before it looks at ZFS. Whoever makes a generation holds it from
  // before it removes the record. So a record never gets older than one that somebody has seen. Errors: ENOENT the
  // template has no clones.
  Result<FileLock> lock() const;
  Result<void> write(const Record& record) const;
  // One that does not exist is no error.
  Result<void> remove() const;

 private:
  std::string path() const { return directory_ + "/newest"; }

  std::string directory_;
  std::string template_name_;
};

}  // namespace isolate::zfs
