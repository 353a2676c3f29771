// BtrfsStore: a generation is a read-only snapshot, and a clone is a snapshot of a generation. On disk it adds to
// DirectoryStore:
//   templates/NAME/generations/N    a read-only snapshot
//   clones/ID                       a snapshot of a generation
//   drafts/X/tree                   the subvolume of a template that is being made
#pragma once

#include <cstdint>

#include "store/directory_store.h"

namespace isolate {

class BtrfsStore : public DirectoryStore {
 public:
  // Only root may use it: btrfs does not let an ordinary user remove all that a guest has made. Errors: `path` is not
  // on btrfs.
  static Result<BtrfsStore> open(const std::string& path, OwnerNamespace* owner,
                                 MissingStore missing = MissingStore::create);

  std::string_view kind() const override { return "btrfs"; }
  Result<Generation> newest_generation(const std::string& name) override;
  Result<void> make_clone(const Generation& generation, const std::string& clone_id) override;
  RootSource planned_root(const Generation& generation, const std::string& clone_id) const override;
  Result<std::uint64_t> publish_clone(const Generation& base, const std::string& clone_id) override;
  Result<std::uint64_t> snapshot(const std::string& name) override;
  Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                   const std::vector<std::uint64_t>& used) override;

 private:
  using DirectoryStore::DirectoryStore;
  Result<std::string> begin_draft(const std::string& draft) override;
  Result<void> finish_draft(const std::string& draft) override;
  Result<void> remove(const std::string& parent, const std::string& name, Deadline deadline) override;
  Result<void> delete_below(const std::string& parent, const std::string& name, Deadline deadline);
  std::string place(const std::string& name) const { return path() + "/" + name; }
  Result<void> freeze(const std::string& subvolume, const std::string& template_directory, std::uint64_t number);
};

}  // namespace isolate
