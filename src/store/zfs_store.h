// ZfsStore: a template is a dataset PARENT/NAME, a generation is a snapshot of it, and a clone is a dataset
// PARENT/NAME_TIME beside it. The command that makes a clone sets its mark, the user property isolate:clone. A leased
// clone is mounted only in the mount namespace of its run. With zfs-fuse, and once a clone is kept, it is mounted in
// kCloneMounts, which only root can enter. Only root can use this store.
#pragma once

#include <cstdint>
#include <map>

#include "linux/lock.h"
#include "store/store.h"
#include "store/zfs_command.h"
#include "store/zfs_records.h"

namespace isolate {

class ZfsStore : public Store {
 public:
  // `parent` is a dataset. open() does not check whether it exists.
  static Result<ZfsStore> open(const std::string& parent);

  std::string_view kind() const override { return "zfs"; }
  std::string description() const override { return "zfs:" + parent_; }
  std::string state_directory() const override;
  Result<std::vector<TemplateInfo>> templates() override;
  Result<bool> has_template(const std::string& name) override;
  Result<TemplateInfo> info(const std::string& name) override;
  Result<Generation> newest_generation(const std::string& name) override;
  std::optional<Generation> recorded_generation(const std::string& name) override;
  Result<Generation> record_newest_generation(const std::string& name, bool is_kept) override;
  std::string new_clone_id(const std::string& template_name) const override;
  Result<void> make_clone(const Generation& generation, const std::string& clone_id) override {
    return make_clones(generation, {clone_id}).front();
  }
  std::size_t clones_at_a_time() const override;
  std::vector<Result<void>> make_clones(const Generation& generation,
                                        const std::vector<std::string>& clone_ids) override;
  Result<RootSource> clone_root(const Generation& generation, const std::string& clone_id) override;
  RootSource planned_root(const Generation& generation, const std::string& clone_id) const override;
  Result<RootSource> generation_root(const Generation& generation) override;
  using Store::destroy_clone;
  Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id,
                             Deadline deadline) override {
    return destroy_clones(template_name, {clone_id}, deadline).front();
  }
  std::vector<Result<void>> destroy_clones(const std::string& template_name, const std::vector<std::string>& clone_ids,
                                           Deadline deadline) override;
  Result<std::vector<std::string>> clones(const std::string& template_name) override;
  std::string clone_location(const std::string& clone_id) const override;
  Result<std::string> show_kept(const std::string& clone_id) override;
  Result<DiskUse> clone_use(const std::string& clone_id, Deadline /*deadline*/) override {
    return DiskUse{TRY(used_bytes(clone_id))};
  }
  Result<std::uint64_t> template_bytes(const std::string& name) override { return used_bytes(name); }
  Result<std::string> begin_template(const std::string& name) override;
  Result<void> publish_template(const std::string& name, const std::string& draft, const std::string& origin) override;
  Result<void> discard_draft(const std::string& draft) override;
  Result<std::uint64_t> publish_clone(const Generation& base, const std::string& clone_id) override;
  Result<std::uint64_t> snapshot(const std::string& name) override;
  bool has_working_tree() const override { return true; }
  Result<std::string> begin_changes(const std::string& name) override;
  Result<bool> has_changes(const std::string& name) override;
  Result<void> leave_changes(const std::string& name) override {
    unmount(name);
    return {};
  }
  Result<void> discard_changes(const std::string& name) override;
  Result<void> remove_template(const std::string& name) override;
  Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                   const std::vector<std::uint64_t>& used) override;
  Result<std::vector<std::string>> collect_leftovers() override;

 private:
  explicit ZfsStore(std::string parent) : parent_(std::move(parent)) {}
  std::string dataset(const std::string& name) const { return parent_ + "/" + name; }
  Result<std::uint64_t> used_bytes(const std::string& name);
  Result<zfs::Dataset> dataset_of(const std::string& name, const std::string& properties);
  // Mounts the template on its own mount point and returns that.
  Result<std::string> mounted(const std::string& name);
  void unmount(const std::string& name);
  Result<FileLock> lock_draft(const std::string& name);

  // The lock lies beside the pools' directories, under a name that no template can have.
  std::string draft_lock(const std::string& name) const { return state_directory() + "/.draft-" + name; }

  // Errors: a property of the parent dataset can't be known; those of Records::write().
  Result<void> write_record(const Generation& newest);
  zfs::Records records(const std::string& name) const { return zfs::Records(state_directory(), name); }

  std::string parent_;
  std::map<std::string, FileLock> drafts_;  // keyed by the directory to fill
};

}  // namespace isolate
