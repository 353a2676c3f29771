// DirectoryStore: the common part of stores in a directory: names, drafts, numbered generations, trash.
// On disk:  templates/NAME/generations/N    a generation
//           templates/NAME/origin           what the template was made from
//           clones/ID                       a clone; ID is NAME-RANDOM
//           drafts/X/                       a template that is being made; its maker holds a lock on it
//           pools/NAME/                     the state of clones
//           trash/X                         a template that is being removed
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "linux/caller.h"
#include "linux/lock.h"
#include "store/store.h"

namespace isolate {

enum class MissingStore { create, refuse };

class DirectoryStore : public Store {
 public:
  const std::string& path() const { return path_; }

  std::string description() const override { return std::string(kind()) + ":" + path_; }
  std::string state_directory() const override { return path_ + "/pools"; }
  Result<std::vector<TemplateInfo>> templates() override;
  Result<bool> has_template(const std::string& name) override;
  Result<TemplateInfo> info(const std::string& name) override;
  using Store::destroy_clone;
  Result<void> destroy_clone(const std::string& template_name, const std::string& clone_id, Deadline deadline) override;
  Result<std::vector<std::string>> clones(const std::string& template_name) override;
  std::string clone_location(const std::string& clone_id) const override { return path_ + "/clones/" + clone_id; }
  Result<DiskUse> clone_use(const std::string& clone_id, Deadline deadline) override {
    return use_of("clones/" + clone_id, deadline);
  }
  Result<std::uint64_t> template_bytes(const std::string& name) override {
    return TRY(use_of("templates/" + name, std::nullopt)).bytes;
  }
  Result<std::string> begin_template(const std::string& name) override;
  Result<void> publish_template(const std::string& name, const std::string& draft, const std::string& origin) override;
  Result<void> discard_draft(const std::string& draft) override;
  Result<void> remove_template(const std::string& name) override;
  Result<std::vector<std::string>> collect_leftovers() override;

 protected:
  // Opens the directory. MissingStore::create creates it (mode 0700) and its subdirectories if they are missing.
  // Errors: it does not belong to the caller, or others have access to it.
  static Result<Fd> open_directory(const std::string& path, const OwnerNamespace& owner, MissingStore missing);
  DirectoryStore(std::string path, OwnerNamespace* owner, Fd directory)
      : path_(std::move(path)), owner_(owner), directory_(std::move(directory)) {}

  // Prepares a draft and returns the directory for the template's files, relative to the draft.
  virtual Result<std::string> begin_draft(const std::string& draft) = 0;
  // Makes the files of the draft its first generation.
  virtual Result<void> finish_draft(const std::string& draft) = 0;
  // Removes `name` in the directory `parent` of the store, with everything in it.
  virtual Result<void> remove(const std::string& parent, const std::string& name, Deadline deadline = std::nullopt);

  // A directory in drafts/, owned by the process that holds its lock.
  struct Draft {
    std::string name;
    FileLock lock;
  };
  Result<Draft> make_draft();
  // Returns the generations in ascending order. Errors: there is none.
  Result<std::vector<std::uint64_t>> generation_numbers(const std::string& name);
  // Runs `body` with rights over all files of the store.
  Result<void> as_owner(const std::function<Result<void>()>& body) { return owner_->run(body); }
  int directory() const { return directory_.get(); }
  OwnerNamespace& owner() const { return *owner_; }

 private:
  Result<std::vector<Draft>> abandoned_drafts();
  Result<Fd> open_drafts();
  Result<DiskUse> use_of(const std::string& name, Deadline deadline);

  std::string path_;
  OwnerNamespace* owner_;
  Fd directory_;
  std::map<std::string, Draft> drafts_;  // keyed by the directory to fill
};

// Returns "DIRECTORY/generations/N".
std::string generation_path(const std::string& template_directory, std::uint64_t number);

}  // namespace isolate
