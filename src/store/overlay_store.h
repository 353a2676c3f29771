// OverlayStore: a template is a stack of read-only directories, and a clone is the upper directory of an overlay on top
// of them. On disk it adds to DirectoryStore:
//   templates/NAME/layers/N/        a layer, made by generation N
//   templates/NAME/generations/N    the names of the layers of generation N, topmost first, one a line
//   clones/ID/{upper,work}          a clone
#pragma once

#include <cstdint>

#include "store/directory_store.h"

namespace isolate {

class OverlayStore : public DirectoryStore {
 public:
  // `owner` has rights over files of the same user that belong to other ids.
  static Result<OverlayStore> open(const std::string& path, OwnerNamespace* owner,
                                   MissingStore missing = MissingStore::create);

  std::string_view kind() const override { return "overlay"; }
  Result<Generation> newest_generation(const std::string& name) override;
  Result<void> make_clone(const Generation& generation, const std::string& clone_id) override;
  RootSource planned_root(const Generation& generation, const std::string& clone_id) const override;
  std::string clone_location(const std::string& clone_id) const override;
  bool has_shifted_layers(const Generation& generation) const override;
  Result<std::vector<std::string>> shifted_layers(const Generation& generation) override;
  Result<std::uint64_t> publish_clone(const Generation& base, const std::string& clone_id) override;
  Result<bool> is_unchanged(const Generation& base, const std::string& clone_id) override;
  Result<std::uint64_t> snapshot(const std::string& name) override;
  Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                   const std::vector<std::uint64_t>& used) override;

 private:
  using DirectoryStore::DirectoryStore;
  Result<std::string> begin_draft(const std::string& draft) override;
  Result<void> finish_draft(const std::string& draft) override;
  Result<void> make_shifted_layer(const std::string& layer);
  Result<void> write_generation(const std::string& template_directory, std::uint64_t number,
                                const std::vector<std::string>& layer_names);
  Result<std::vector<std::string>> layer_names(const std::string& name, std::uint64_t generation);
};

}  // namespace isolate
