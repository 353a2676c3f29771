// Records of templates in a ZFS store: the newest generation, and how clones are mounted. A refresh of a pool writes
// the record, and runs read it in place of calling the zfs program. A malformed or incomplete record is ignored.
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
  // A writer takes this lock before it reads from ZFS what it will write. A process that makes a generation takes it
  // before it removes the record. So nobody writes an older generation after a newer one was made. Errors: ENOENT the
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
