// OverlayStore: templates as stacks of read-only directories, clones as upper directories of an overlay.
// On disk:  templates/NAME/layers/N/        a layer, made by generation N
//           templates/NAME/generations/N    names of the layers of generation N, topmost first, a line each
//           templates/NAME/origin           what the template was made from
//           clones/ID/{upper,work}          a clone
//           drafts/X/                       a template in the making; locked while somebody works on it
//           trash/X                         what is being removed
#pragma once

#include <map>

#include "linux/caller.h"
#include "linux/lock.h"
#include "store/store.h"

namespace isolate {

class OverlayStore : public Store {
 public:
  enum class Missing { create, refuse };
  // Opens the store at `path`; when it does not exist it is made (mode 0700), or that is an error. `owner` gives the
  // rights over files that belong to other ids of the same user.
  static Result<OverlayStore> open(const std::string& path, OwnerNamespace* owner, Missing missing = Missing::create);

  const std::string& path() const { return path_; }

  // For a namespace in which no id is the caller's own: the same layers with every owner one id higher. Where the
  // copies do not exist yet they are made, which takes as long as copying the template. Errors: those of cp(1).
  bool has_shifted_layers(const Generation& generation) const;
  Result<std::vector<std::string>> shifted_layers(const Generation& generation);

  std::string_view kind() const override { return "overlay"; }
  Result<std::vector<TemplateInfo>> templates() override;
  bool has_template(const std::string& name) override;
  Result<void> check_exists(const std::string& name) override;
  Result<TemplateInfo> info(const std::string& name) override;
  Result<Generation> newest_generation(const std::string& name) override;
  Result<RootSource> make_clone(const Generation& generation, const std::string& clone_id) override;
  Result<void> destroy_clone(const std::string& clone_id) override;
  std::string clone_location(const std::string& clone_id) const override;
  Result<std::uint64_t> clone_bytes(const std::string& clone_id) override;
  Result<std::uint64_t> template_bytes(const std::string& name) override;
  Result<std::string> begin_template(const std::string& name) override;
  Result<void> publish_template(const std::string& name, const std::string& draft, const std::string& origin) override;
  Result<void> discard_draft(const std::string& draft) override;
  Result<unsigned> publish_clone(const Generation& base, const std::string& clone_id) override;
  Result<void> remove_template(const std::string& name) override;
  Result<std::vector<std::string>> collect_garbage(const std::string& name, const std::vector<unsigned>& used) override;
  Result<std::vector<std::string>> collect_leftovers() override;

 private:
  OverlayStore(std::string path, OwnerNamespace* owner, Fd directory)
      : path_(std::move(path)), owner_(owner), directory_(std::move(directory)) {}

  // A new directory below drafts/, which belongs to whoever holds its lock.
  struct Draft {
    std::string name;
    FileLock lock;
  };
  Result<Draft> make_draft();
  Result<std::vector<Draft>> abandoned_drafts();
  Result<Fd> open_drafts();
  Result<void> make_shifted_layer(const std::string& layer);
  Result<std::uint64_t> bytes_of(const std::string& name);
  Result<void> remove(const std::string& parent, const std::string& name);
  Result<void> write_generation(const std::string& template_directory, unsigned number,
                                const std::vector<std::string>& layer_names);
  Result<std::vector<unsigned>> generation_numbers(const std::string& name);
  Result<std::vector<std::string>> layer_names(const std::string& name, unsigned generation);

  std::string path_;
  OwnerNamespace* owner_;
  Fd directory_;
  std::map<std::string, FileLock> drafts_;  // by the directory to fill
};

}  // namespace isolate
