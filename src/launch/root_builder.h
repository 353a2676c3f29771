// RootBuilder: puts the root of a run together, in the launcher's own mount namespace. It works with descriptors
// instead of paths, so that no link of the template leads outside and nobody can exchange a file between two steps.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "plan/plan.h"
#include "share/share.h"

namespace isolate {

class RootBuilder : public RootInProgress {
 public:
  // `idmap_userns` is the user namespace for id-mapped mounts, if the plan has any. `held` has an entry for each of the
  // plan's mounts (start_shares()); null: no share holds anything.
  RootBuilder(const RunPlan& plan, int idmap_userns, const std::vector<std::unique_ptr<Held>>* held = nullptr);

  // Uses a root that open_root() has mounted already. The mount can be attached only once.
  void take_root(Fd opened) { opened_root_ = std::move(opened); }
  // Opens the layers, the clone and the sources of binds with the caller's rights. Errors name the one that can't be
  // opened.
  Result<void> open_sources();
  // Mounts a tmpfs on the stage, and attaches to it everything that open_sources() has opened.
  Result<void> attach_sources();
  // Mounts the root on "root" below the stage: an overlay of the layers, or the directory itself.
  Result<void> mount_root();
  // Makes one of the plan's mounts in the root. `number` is its position in the plan.
  Result<void> mount_in_root(std::size_t number);
  // Does the rest: makes /proc if it is missing, checks the working directory, and makes the root read-only if the plan
  // says so.
  Result<void> finish();

  // Finds the root that another process with this mount namespace has put together in the plan's way.
  Result<void> find_root();
  // Finds the root again after this process has entered the guest's own user namespace and copied the mount namespace.
  Result<void> reopen();
  // For a guest whose mount namespace is not a copy of the builder's. hand_over() attaches a copy of the finished root
  // on `door`, and the kernel propagates that mount into the guest's mount namespace. There take_over() finds it.
  Result<void> hand_over(const std::string& door);
  Result<void> take_over(const std::string& door);

  int root() const override { return root_.get(); }
  // Messages for the caller about binds that do not fully do what was asked for.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Source {
    std::string name;  // below the stage
    Fd tree;
    bool is_directory = true;
  };
  Result<void> open_source(const std::string& path, const std::string& name, std::uint64_t attributes, bool idmap,
                           bool recursive);
  Result<void> add_source(Fd tree, const std::string& path, const std::string& name, std::uint64_t attributes,
                          bool idmap, bool recursive);
  // Opens the writable part: the overlay's directory, or the root itself.
  Result<void> open_clone();
  const Traits& traits() const override { return traits_; }
  bool may_create_targets() const override { return plan_.may_create_targets && !is_read_only_; }
  int stage() const override { return stage_.get(); }
  int tmp() const override { return tmp_.get(); }
  Result<void> open_bind(const RootMount& mount, std::size_t number) override;
  Result<void> open_device(std::size_t number, const struct stat& device, const std::string& subject) override;
  Result<Fd> opened(std::size_t number) override;
  Result<Fd> ordinary_directory(const std::string& target, bool create) const override;
  Result<Fd> scratch(const std::string& name, mode_t mode, std::uint64_t attributes) override;
  Result<void> attach_tree(const Fd& tree, const std::string& target, bool is_directory) override;
  Result<void> cover_in_etc(const Fd& tree, const std::string& name) override;
  void close_at_the_end(Fd tree, const std::string& target) override {
    closed_at_the_end_.push_back({target, std::move(tree)});
  }

  // Returns the object that the share of this mount keeps during the run, or null.
  Held* held(std::size_t number) const { return held_ == nullptr ? nullptr : (*held_)[number].get(); }
  Result<void> map_ids(const Fd& tree, const std::string& path, bool recursive);
  Result<void> mount_tmpfs(const RootMount& mount, std::size_t number);
  Result<void> mount_devices(const std::string& target);
  void warn_of_bind(const RootMount& mount, const struct stat& source);
  Result<Fd> target_directory(const std::string& target);
  // Replaces ENOTDIR by an error that names the file in the root that is in the way.
  Result<Fd> name_file_in_the_way(Result<Fd> place, const std::string& target) const;

  const RunPlan& plan_;
  Traits traits_;
  int idmap_userns_;
  const std::vector<std::unique_ptr<Held>>* held_;
  Fd opened_root_;
  Fd stage_;
  Fd root_;
  Fd tmp_;  // the mount on the guest's /tmp
  std::vector<Source> closed_at_the_end_;
  std::vector<Source> sources_;
  std::set<std::size_t> devices_;  // numbers of the mounts that open_device has made
  std::vector<std::string> warnings_;
  bool is_read_only_ = false;  // the root is read-only, because its file system can't map ids
};

}  // namespace isolate
