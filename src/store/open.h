// Finds a store by its description, or by the name of a template in it.
#pragma once

#include <memory>
#include <string>

#include "linux/caller.h"
#include "store/directory_store.h"

namespace isolate {

// `description`: "overlay:/PATH", "/PATH", "btrfs:/PATH" or "zfs:POOL/PATH". Errors: it has another form; the store
// can't be opened.
Result<std::unique_ptr<Store>> open_store(const std::string& description, OwnerNamespace* owner, MissingStore missing);

// Returns the descriptions of the stores in which templates were made or refreshed, except for `main_store`, a
// directory.
Result<std::vector<std::string>> known_stores(const std::string& main_store);
// Returns the main store first, then the known stores. Leaves out stores that can't be opened now.
std::vector<std::unique_ptr<Store>> open_all_stores(const std::string& main_store, OwnerNamespace* owner);
// Adds a store to the known ones, unless it is the main store.
Result<void> remember_store(const std::string& main_store, const std::string& description);

// Returns the names of a store's templates; empty if the store can't list them.
std::vector<std::string> template_names(Store& store);

// Accepts NAME, KIND:NAME, or a ZFS dataset POOL/PATH/NAME. Errors: plain text.
Result<void> check_template_reference(const std::string& asked);
// Returns the name that the template `asked` has in this store, or "" if `asked` means another store. Errors: as above.
Result<std::string> name_in_store(const std::string& asked, const Store& store);

struct TemplatePlace {
  std::unique_ptr<Store> store;
  std::string name;
};
// Finds the store with the template `asked` (see check_template_reference). `main_store` is a directory. Errors: no
// store has the template, or several have it.
Result<TemplatePlace> find_template(const std::string& asked, const std::string& main_store, OwnerNamespace* owner);

}  // namespace isolate
