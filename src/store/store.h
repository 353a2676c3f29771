// Store: where templates and clones live. One file of this folder for each kind; all others know this interface only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "linux/tree.h"
#include "store/root_source.h"

namespace isolate {

// A frozen state of a template. New clones are made of the newest one.
struct Generation {
  std::string template_name;
  std::uint64_t number = 0;         // grows from generation to generation
  std::vector<std::string> layers;  // overlay: paths, topmost first
  std::string snapshot;             // others: what clones are made of
};

struct TemplateInfo {
  std::string name;
  std::string store;
  std::uint64_t generation = 0;  // the newest
  std::size_t layers = 0;        // of the newest generation; 1 where there are none
  std::int64_t created = 0;      // seconds since 1970, of the newest generation
  std::string origin;            // what it was made from
  std::string problem;           // why it can not be used; the rest but name and store is not known then
};

struct DiskUse {
  std::uint64_t bytes = 0;
  bool is_complete = true;  // false: there was no time to count all of it
};

class Store {
 public:
  virtual ~Store() = default;
  virtual std::string_view kind() const = 0;
  // "btrfs:/srv/isolate": what -z and --store take, and people read.
  virtual std::string description() const = 0;
  // The directory in which the pools of its templates keep their state; closed to all others.
  virtual std::string state_directory() const = 0;

  // In alphabetical order, damaged ones too.
  virtual Result<std::vector<TemplateInfo>> templates() = 0;
  virtual Result<bool> has_template(const std::string& name) = 0;
  // Errors, here and below: there is no such template, and what to do.
  Result<void> check_exists(const std::string& name);
  virtual Result<TemplateInfo> info(const std::string& name) = 0;
  virtual Result<Generation> newest_generation(const std::string& name) = 0;

  // A name for a new clone that no other has. Also a host name.
  virtual std::string new_clone_id(const std::string& template_name) const;
  // Makes an empty clone, which carries the store's mark, and whose name the pool's state has. Errors: EEXIST; ENOSPC,
  // EROFS, EDQUOT of the file system.
  virtual Result<void> make_clone(const Generation& generation, const std::string& clone_id) = 0;
  // What a run on the clone is put together from, and where that will be: the former makes sure that it is there.
  virtual Result<RootSource> clone_root(const Generation& generation, const std::string& clone_id);
  virtual RootSource planned_root(const Generation& generation, const std::string& clone_id) const = 0;
  // What clones of the generation begin as, to be looked at and not to be written. Errors: it can't be looked at.
  virtual Result<RootSource> generation_root(const Generation& generation);
  // The root for a user namespace in which no id is the caller's own: the same layers with every owner one id higher.
  // Copies of layers that do not exist yet are made first, which takes as long as copying the template;
  // has_shifted_layers() tells. Errors: ENOTSUP this kind of store has no layers; those of cp(1).
  virtual bool has_shifted_layers(const Generation& /*generation*/) const { return true; }
  virtual Result<std::vector<std::string>> shifted_layers(const Generation& generation);
  // Removes the clone and all that was written to it. One that does not exist is no error; what is not a clone of this
  // template, or lacks the mark, is one, and stays. Errors: EBUSY somebody still has it mounted; ETIMEDOUT the deadline
  // has come, and the next call goes on.
  virtual Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id,
                                     Deadline deadline) = 0;
  Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id) {
    return destroy_clone(template_name, clone_id, std::nullopt);
  }
  // All that carry the mark and descend from this template.
  virtual Result<std::vector<std::string>> clones(const std::string& template_name) = 0;
  // Where a kept clone's changes are, for people.
  virtual std::string clone_location(const std::string& clone_id) const = 0;
  // Makes sure that a kept clone's changes can be looked at there, and gives back the place.
  virtual Result<std::string> show_kept(const std::string& clone_id) { return clone_location(clone_id); }
  // What it takes on disk; where that has to be counted, as far as the deadline allows.
  virtual Result<DiskUse> clone_use(const std::string& clone_id, Deadline deadline) = 0;
  virtual Result<std::uint64_t> template_bytes(const std::string& name) = 0;

  // A new template is built in a draft directory, and appears whole or not at all.
  virtual Result<std::string> begin_template(const std::string& name) = 0;  // the directory to fill
  virtual Result<void> publish_template(const std::string& name, const std::string& draft,
                                        const std::string& origin) = 0;
  virtual Result<void> discard_draft(const std::string& draft) = 0;

  // Makes what was written to the clone the template's next generation. The clone is used up, but still to be
  // destroyed. Errors: EAGAIN another generation was made since the clone was.
  virtual Result<std::uint64_t> publish_clone(const Generation& base, const std::string& clone_id) = 0;

  // True if it is certain that nothing was written to the clone.
  virtual Result<bool> is_unchanged(const Generation& base, const std::string& clone_id);

  // Makes the template as it is now its next generation. Where nothing can be changed but through clones, that is the
  // newest one again.
  virtual Result<std::uint64_t> snapshot(const std::string& name) = 0;

  // Whether a template can be changed in its place: a directory, whose changes snapshot() makes a generation of.
  // Otherwise it is changed by publish_clone().
  virtual bool has_working_tree() const { return false; }
  // Gives back the directory. What was in it at the first call comes back with discard_changes(), also after a crash in
  // between, until snapshot() makes the changes a generation. leave_changes() puts them aside.
  virtual Result<std::string> begin_changes(const std::string& name);
  virtual Result<bool> has_changes(const std::string& name);
  virtual Result<void> leave_changes(const std::string& name);
  virtual Result<void> discard_changes(const std::string& name);

  virtual Result<void> remove_template(const std::string& name) = 0;

  // Removes generations and layers that are neither newest nor in `used`, and what interrupted work has left.
  // Gives back lines that say what was removed.
  virtual Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                           const std::vector<std::uint64_t>& used) = 0;
  // Removes drafts and templates whose making or removal was interrupted.
  virtual Result<std::vector<std::string>> collect_leftovers() = 0;
};

// Where the host has datasets of ZFS mounted: kept clones, templates that are worked on, and with zfs-fuse, which
// mounts nothing elsewhere, leased clones. Closed to all but root. A process that keeps a copy of such a mount keeps
// the clone from being destroyed.
constexpr const char* kCloneMounts = "/run/isolate/mounts";
// Those places there, absolute paths, on which something is mounted in this process's mount namespace.
std::vector<std::string> mounted_clones();
// Takes those off this mount namespace, which must be a private one.
void let_go_of_mounted_clones();

// There is no such template: which ones there are, the one that may be meant, and how to make one. `place`: where it
// was looked for, such as " in overlay:/srv"; may be empty.
Error missing_template(const std::string& name, const std::string& place, std::vector<std::string> existing);

// Names of templates: 1 to 40 characters, since they become part of a host name.
Result<void> check_template_name(std::string_view name);

}  // namespace isolate
