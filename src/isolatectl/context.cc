#include <fcntl.h>

#include <cerrno>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "linux/file.h"
#include "request/store_path.h"

namespace isolate {

Result<std::unique_ptr<Context>> Context::open(const std::vector<std::string>& stores, bool json, bool quiet) {
  std::string main;
  std::string only;
  for (const auto& store : stores) {
    const std::string_view text = store;
    if (text.starts_with("zfs:") || text.starts_with("btrfs:")) {
      only = store;
    } else if (text.starts_with("overlay:")) {
      main = store.substr(std::string_view("overlay:").size());
    } else if (store != "overlay") {  // "overlay" alone means the main store at its usual place
      main = store;
    }
  }
  if (!main.empty() && main.front() != '/') {
    return fail("store '" + main + "' is not an absolute path; give /DIR, overlay:/DIR, btrfs:/DIR or zfs:POOL/PATH");
  }
  const bool names_main = !main.empty();
  auto path = TRY(store_path(main, Caller::current()));
  auto context = std::unique_ptr<Context>(new Context(std::move(path), std::move(only), json, quiet));
  context->names_main_ = names_main;
  context->asks_daemon_ = stores.empty() && !context->owner_.caller().is_root();
  return context;
}

Result<std::unique_ptr<Store>> Context::target() {
  return open_store(only_.empty() ? main_ : only_, &owner_, MissingStore::create);
}

Result<TemplatePlace> Context::find(const std::string& asked) {
  auto place = only_.empty() ? TRY(find_template(asked, main_, &owner_))
                             : TemplatePlace{TRY(open_store(only_, &owner_, MissingStore::refuse)), asked};
  TRY_VOID(place.store->check_exists(place.name));
  return place;
}

std::string Context::reference(const TemplatePlace& place, const std::string& asked) const {
  if (only_.empty()) return asked;
  const auto& store = *place.store;
  if (store.kind() != "zfs") return std::string(store.kind()) + ":" + place.name;
  const auto description = store.description();
  return description.substr(description.find(':') + 1) + "/" + place.name;
}

Result<std::vector<std::unique_ptr<Store>>> Context::stores() {
  std::vector<std::unique_ptr<Store>> all;
  if (only_.empty() && !names_main_) {
    // The user's own store is made with their first template. Before that there is nothing to look into.
    const auto status = status_of(AT_FDCWD, main_, 0);
    if (!status && status.error().code() == ENOENT) return all;
  }
  all.push_back(TRY(open_store(only_.empty() ? main_ : only_, &owner_, MissingStore::refuse)));
  if (!only_.empty()) return all;
  for (const auto& known : TRY(known_stores(main_))) {
    auto store = open_store(known, &owner_, MissingStore::refuse);
    if (store) {
      if (auto answers = (*store)->templates(); !answers) store = fail(std::move(answers).error());
    }
    if (store) {
      all.push_back(std::move(*store));
    } else {
      log::warning(known + ": " + store.error().message());
    }
  }
  return all;
}

}  // namespace isolate
