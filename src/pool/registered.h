// Registered pools: those to which root has given a size. The daemon keeps them at that size, and members of the group
// may lease clones of their templates.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "store/open.h"

namespace isolate {

// Returns the registered pools of these stores, in their order. A store that can't be read has none.
std::vector<Pool> registered_pools(const std::vector<std::unique_ptr<Store>>& stores);

// Finds the template `asked` (see check_template_reference) among the registered pools. Errors: plain text: no pool or
// several match, with advice.
Result<TemplatePlace> find_registered_template(const std::string& asked, const std::string& main_store,
                                               OwnerNamespace* owner);

}  // namespace isolate
