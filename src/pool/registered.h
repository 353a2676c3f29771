// Registered pools: those to which root has given a size. They are kept at it, and members of the group may have clones
// of their templates.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "store/open.h"

namespace isolate {

// Of these stores, in their order. A store that does not answer has none.
std::vector<Pool> registered_pools(const std::vector<std::unique_ptr<Store>>& stores);

// `asked`: see check_template_reference. Errors: plain text: there is none, or there are several; with what to do.
Result<TemplatePlace> find_registered_template(const std::string& asked, const std::string& main_store,
                                               OwnerNamespace* owner);

}  // namespace isolate
