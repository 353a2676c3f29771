#include "pool/registered.h"

#include <fmt/format.h>

#include "base/text.h"

namespace isolate {

std::vector<Pool> registered_pools(const std::vector<std::unique_ptr<Store>>& stores) {
  std::vector<Pool> found;
  for (const auto& store : stores) {
    const auto names = pool_names(*store);
    if (!names) continue;
    for (const auto& name : *names) {
      Pool pool(store.get(), name);
      if (pool.is_registered()) found.push_back(std::move(pool));
    }
  }
  return found;
}

Result<TemplatePlace> find_registered_template(const std::string& asked, const std::string& main_store,
                                               OwnerNamespace* owner) {
  TRY_VOID(check_template_reference(asked));
  TemplatePlace found;
  std::vector<std::string> places;
  for (auto& store : open_all_stores(main_store, owner)) {
    auto name = TRY(name_in_store(asked, *store));
    if (name.empty() || !Pool(store.get(), name).is_registered()) continue;
    places.push_back(store->description());
    found = {std::move(store), std::move(name)};
  }
  const auto shown = text::printable(asked);
  if (places.empty()) {
    return fail(fmt::format("no template '{}' is registered for members; as root: isolate -r {} 5", shown, shown));
  }
  if (places.size() > 1) {
    return fail(fmt::format("template '{}' is in {}; say which: KIND:{}", shown, text::join(places, " and "), shown));
  }
  return found;
}

}  // namespace isolate
