// Store: the place where templates and clones live. Each kind of store has a file in this folder; all other code uses
// only this interface.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/tree.h"
#include "store/root_source.h"

namespace isolate {

// A frozen state of a template. New clones start from the newest generation.
struct Generation {
  std::string template_name;
  std::uint64_t number = 0;         // increases with each generation
  std::vector<std::string> layers;  // overlay: the paths of the layers, topmost first
  std::string snapshot;             // other stores: the snapshot that clones are made from
};

struct TemplateInfo {
  std::string name;
  std::string store;
  std::uint64_t generation = 0;  // the number of the newest generation
  std::size_t layers = 0;        // the layers of the newest generation; 1 if the store has no layers
  std::int64_t created = 0;      // when the newest generation was made, in seconds since 1970
  std::string origin;            // what it was made from
  std::string problem;           // why the template can't be used; then only name and store are known
};

struct DiskUse {
  std::uint64_t bytes = 0;
  bool is_complete = true;  // false: the deadline passed before all was counted
};

class Store {
 public:
  virtual ~Store() = default;
  virtual std::string_view kind() const = 0;
  // Returns a description such as "btrfs:/srv/isolate", for -z and --store and for people.
  virtual std::string description() const = 0;
  // Returns the directory with the state of the store's pools. Only its owner has access to it.
  virtual std::string state_directory() const = 0;

  // Returns all templates in alphabetical order, including damaged ones.
  virtual Result<std::vector<TemplateInfo>> templates() = 0;
  virtual Result<bool> has_template(const std::string& name) = 0;
  // Errors of all functions that take a template: there is no such template, with advice.
  Result<void> check_exists(const std::string& name);
  virtual Result<TemplateInfo> info(const std::string& name) = 0;
  virtual Result<Generation> newest_generation(const std::string& name) = 0;
  // Returns the newest generation that the last refresh has recorded. Returns nothing if there is no record, or if
  // looking is as fast. Generations that were made since then without isolate are missing.
  virtual std::optional<Generation> recorded_generation(const std::string& /*name*/) { return std::nullopt; }
  // Returns the recorded generation, and the newest one if there is no record.
  Result<Generation> generation_for_runs(const std::string& name);
  // Returns newest_generation(). Records it with all else that runs need to know of the store, if `is_kept`; otherwise
  // removes the record. The state directory of the template's pool has to exist.
  virtual Result<Generation> record_newest_generation(const std::string& name, bool /*is_kept*/) {
    return newest_generation(name);
  }

  // Returns an unused name for a new clone, which is also a valid host name.
  virtual std::string new_clone_id(const std::string& template_name) const;
  // Makes an empty clone with the store's mark. The pool's state has to contain its name before. Errors: EEXIST;
  // ENOSPC, EROFS and EDQUOT from the file system.
  virtual Result<void> make_clone(const Generation& generation, const std::string& clone_id) = 0;
  // make_clone() and destroy_clone() for several clones. The results have an entry for each, in the same order. Some
  // stores do clones_at_a_time() of them as fast as one.
  virtual std::size_t clones_at_a_time() const { return 1; }
  virtual std::vector<Result<void>> make_clones(const Generation& generation,
                                                const std::vector<std::string>& clone_ids);
  virtual std::vector<Result<void>> destroy_clones(const std::string& template_name,
                                                   const std::vector<std::string>& clone_ids, Deadline deadline);
  // Both return the root of a run on the clone. clone_root() makes sure that it exists; planned_root() only predicts
  // it.
  virtual Result<RootSource> clone_root(const Generation& generation, const std::string& clone_id);
  virtual RootSource planned_root(const Generation& generation, const std::string& clone_id) const = 0;
  // Returns the initial root of the generation's clones, for reading only. Errors: it can't be mounted without a clone.
  virtual Result<RootSource> generation_root(const Generation& generation);
  // Copies of the layers in which every owner is one id higher, for a user namespace in which no id is the caller's
  // own. shifted_layers() makes missing copies, which takes as long as copying the template. Errors: ENOTSUP this kind
  // of store has no layers; those of cp(1).
  virtual bool has_shifted_layers(const Generation& /*generation*/) const { return true; }
  virtual Result<std::vector<std::string>> shifted_layers(const Generation& generation);
  // Removes the clone and all its content. A clone that does not exist is no error. A name that is no clone of this
  // template, or has no mark, is an error and stays. Errors: EBUSY a process still has it mounted; ETIMEDOUT the
  // deadline has passed, and the next call continues.
  virtual Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id,
                                     Deadline deadline) = 0;
  Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id) {
    return destroy_clone(template_name, clone_id, std::nullopt);
  }
  // Returns all clones of this template that have the mark.
  virtual Result<std::vector<std::string>> clones(const std::string& template_name) = 0;
  // Returns the place of a kept clone's changes, for people.
  virtual std::string clone_location(const std::string& clone_id) const = 0;
  // Makes a kept clone's changes accessible there, and returns the place.
  virtual Result<std::string> show_kept(const std::string& clone_id) { return clone_location(clone_id); }
  // Returns the clone's disk use. If it has to be counted, counting stops at the deadline.
  virtual Result<DiskUse> clone_use(const std::string& clone_id, Deadline deadline) = 0;
  virtual Result<std::uint64_t> template_bytes(const std::string& name) = 0;

  // Makes a template in a draft directory. The template appears as a whole when it is published. begin_template()
  // returns the directory to fill, which the other two take as `draft`.
  virtual Result<std::string> begin_template(const std::string& name) = 0;
  virtual Result<void> publish_template(const std::string& name, const std::string& draft,
                                        const std::string& origin) = 0;
  virtual Result<void> discard_draft(const std::string& draft) = 0;

  // Makes the changes in the clone the template's next generation. The clone can't be used afterwards, but has to be
  // destroyed. Errors: EAGAIN the template has a newer generation than the clone's base.
  virtual Result<std::uint64_t> publish_clone(const Generation& base, const std::string& clone_id) = 0;

  // True if nothing was written to the clone. False if something was, or if the store can't tell.
  virtual Result<bool> is_unchanged(const Generation& base, const std::string& clone_id);

  // Makes the current state of the template its next generation. A template that changes only through clones gets a
  // copy of its newest generation.
  virtual Result<std::uint64_t> snapshot(const std::string& name) = 0;

  // Says whether a template can be changed in place: it has a working directory, and snapshot() makes a generation of
  // its content. Other templates are changed by publish_clone().
  virtual bool has_working_tree() const { return false; }
  // begin_changes() returns the working directory and saves its state, unless changes have begun already.
  // discard_changes() restores that state, even after a crash, until snapshot() has made a generation of the changes.
  // leave_changes() keeps the changes for later.
  virtual Result<std::string> begin_changes(const std::string& name);
  virtual Result<bool> has_changes(const std::string& name);
  virtual Result<void> leave_changes(const std::string& name);
  virtual Result<void> discard_changes(const std::string& name);

  virtual Result<void> remove_template(const std::string& name) = 0;

  // Removes generations and layers that are neither the newest nor in `used`, and leftovers of interrupted work.
  // Returns a line for each removed item.
  virtual Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                           const std::vector<std::uint64_t>& used) = 0;
  // Removes drafts and templates whose creation or removal was interrupted. Returns a line for each.
  virtual Result<std::vector<std::string>> collect_leftovers() = 0;
};

// Where ZFS datasets are mounted on the host: kept clones, templates that are being changed, and with zfs-fuse, which
// can mount nowhere else, leased clones. Only root may enter it. A process with a copy of such a mount keeps the clone
// from being destroyed.
constexpr const char* kCloneMounts = "/run/isolate/mounts";
// Returns the absolute paths in that directory on which something is mounted in this process's mount namespace.
std::vector<std::string> mounted_clones();
// Unmounts them in this process's mount namespace, which must be a private one.
void detach_mounted_clones();

// Returns the error for a missing template. It lists existing templates, the one with the most similar name, and how to
// make one. `place` says where the search was, such as " in overlay:/srv", and may be empty.
Error missing_template(const std::string& name, const std::string& place, std::vector<std::string> existing);

// Checks the name of a template: at most 40 characters, because it becomes part of a host name.
Result<void> check_template_name(std::string_view name);

}  // namespace isolate
