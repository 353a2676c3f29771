// Which store is meant: by its description, or by the name of a template in it.
#pragma once

#include <memory>
#include <string>

#include "linux/caller.h"
#include "store/directory_store.h"

namespace isolate {

// "overlay:/PATH", "/PATH", "btrfs:/PATH" or "zfs:POOL/PATH". Errors: it is none of these; those of opening it.
Result<std::unique_ptr<Store>> open_store(const std::string& description, OwnerNamespace* owner, MissingStore missing);

// The descriptions of the stores besides `main_store`, a directory, in which templates were made or refreshed.
Result<std::vector<std::string>> known_stores(const std::string& main_store);
// The main one first. Those that can't be opened now are left out.
std::vector<std::unique_ptr<Store>> open_all_stores(const std::string& main_store, OwnerNamespace* owner);
Result<void> remember_store(const std::string& main_store, const std::string& description);

// The names of a store's templates; empty where it can't be asked.
std::vector<std::string> name_list(Store& store);

// NAME, KIND:NAME, or a ZFS dataset POOL/PATH/NAME. Errors: plain text: it has none of these forms.
Result<void> check_template_reference(const std::string& asked);
// The name that the template would have in this store; empty when another store is meant. Errors: as above.
Result<std::string> name_in_store(const std::string& asked, const Store& store);

struct TemplatePlace {
  std::unique_ptr<Store> store;
  std::string name;
};
// `asked`: see check_template_reference. `main_store`: a directory.
// Errors: no store has it, or several do.
Result<TemplatePlace> find_template(const std::string& asked, const std::string& main_store, OwnerNamespace* owner);

}  // namespace isolate
