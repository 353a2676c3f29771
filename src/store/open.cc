#include "store/open.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "linux/file.h"
#include "store/btrfs_store.h"
#include "store/overlay_store.h"
#include "store/zfs_store.h"

namespace isolate {
namespace {

constexpr std::string_view kZfs = "zfs:";
constexpr std::string_view kBtrfs = "btrfs:";
constexpr std::string_view kOverlay = "overlay:";

template <typename Kind>
Result<std::unique_ptr<Store>> boxed(Result<Kind> store) {
  if (!store) return fail(std::move(store).error());
  return std::make_unique<Kind>(std::move(*store));
}

// The file that lists other stores, one description a line.
std::string list_of(const std::string& main_store) { return main_store + "/stores"; }

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::string& description, OwnerNamespace* owner, MissingStore missing) {
  const std::string_view text = description;
  if (text.starts_with(kZfs)) return boxed(ZfsStore::open(description.substr(kZfs.size())));
  const bool is_btrfs = text.starts_with(kBtrfs);
  const auto path = description.substr(is_btrfs ? kBtrfs.size() : text.starts_with(kOverlay) ? kOverlay.size() : 0);
  if (!path.starts_with('/')) {
    return fail("store '" + text::printable(description) +
                "': give /PATH, overlay:/PATH, btrfs:/PATH or zfs:POOL/PATH");
  }
  if (is_btrfs) return boxed(BtrfsStore::open(path, owner, missing));
  return boxed(OverlayStore::open(path, owner, missing));
}

Result<std::vector<std::string>> known_stores(const std::string& main_store) {
  auto list = read_file(list_of(main_store));
  if (!list && list.error().code() == ENOENT) return std::vector<std::string>{};
  auto lines = text::split(TRY(std::move(list)), '\n');
  std::erase(lines, "");
  return lines;
}

Result<void> remember_store(const std::string& main_store, const std::string& description) {
  if (description == std::string(kOverlay) + main_store) return {};
  TRY_VOID(make_directories(main_store, 0700));
  auto alone =
      TRY(FileLock::wait(TRY(open_file(AT_FDCWD, main_store, O_RDONLY | O_DIRECTORY)), FileLock::Mode::exclusive));
  auto lines = TRY(known_stores(main_store));
  if (std::find(lines.begin(), lines.end(), description) != lines.end()) return {};
  lines.push_back(description);
  return replace_file(list_of(main_store), text::join(lines, "\n") + "\n", 0600);
}

namespace {

struct Reference {
  std::string kind;    // empty: any kind
  std::string parent;  // the parent dataset; empty: search the known stores
  std::string name;
};

Result<Reference> parse_reference(const std::string& asked) {
  if (asked.find('/') != std::string::npos) {
    const auto dataset = asked.substr(asked.starts_with(kZfs) ? kZfs.size() : 0);
    TRY_VOID(zfs::check_dataset_name(dataset));
    const auto cut = dataset.rfind('/');
    TRY_VOID(check_template_name(dataset.substr(cut + 1)));
    return Reference{"zfs", dataset.substr(0, cut), dataset.substr(cut + 1)};
  }
  const auto colon = asked.find(':');
  if (colon == std::string::npos) {
    TRY_VOID(check_template_name(asked));
    return Reference{"", "", asked};
  }
  Reference reference{asked.substr(0, colon), "", asked.substr(colon + 1)};
  if (reference.kind != "overlay" && reference.kind != "btrfs" && reference.kind != "zfs") {
    return fail("'" + text::printable(reference.kind) +
                "' is not a kind of store; the kinds are overlay, btrfs and zfs");
  }
  TRY_VOID(check_template_name(reference.name));
  return reference;
}

}  // namespace

Result<void> check_template_reference(const std::string& asked) {
  TRY(parse_reference(asked));
  return {};
}

Result<std::string> name_in_store(const std::string& asked, const Store& store) {
  const auto [kind, parent, name] = TRY(parse_reference(asked));
  const bool is_meant =
      (kind.empty() || kind == store.kind()) && (parent.empty() || store.description() == std::string(kZfs) + parent);
  return is_meant ? name : std::string();
}

std::vector<std::unique_ptr<Store>> open_all_stores(const std::string& main_store, OwnerNamespace* owner) {
  std::vector<std::string> descriptions = {main_store};
  if (auto others = known_stores(main_store)) descriptions.insert(descriptions.end(), others->begin(), others->end());
  std::vector<std::unique_ptr<Store>> stores;
  for (const auto& description : descriptions) {
    auto store = open_store(description, owner, MissingStore::refuse);
    if (store) stores.push_back(std::move(*store));  // a store whose disk is missing is left out
  }
  return stores;
}

std::vector<std::string> template_names(Store& store) {
  std::vector<std::string> names;
  const auto infos = store.templates();
  if (!infos) return names;
  for (const auto& info : *infos) names.push_back(info.name);
  return names;
}

Result<TemplatePlace> find_template(const std::string& asked, const std::string& main_store, OwnerNamespace* owner) {
  const auto reference = TRY(parse_reference(asked));
  const auto& name = reference.name;
  const auto& kind = reference.kind;
  if (!reference.parent.empty()) return TemplatePlace{TRY(boxed(ZfsStore::open(reference.parent))), name};
  auto main = TRY(open_store(main_store, owner, MissingStore::refuse));
  const auto others = TRY(known_stores(main_store));
  // If no other store is known, skip the search and leave it to the caller to report a missing template.
  if (others.empty() && (kind.empty() || kind == main->kind())) return TemplatePlace{std::move(main), name};
  TemplatePlace found{nullptr, name};
  std::vector<std::string> places;  // the stores that have it
  std::vector<std::string> names;
  auto look_into = [&](std::unique_ptr<Store> store) -> Result<void> {
    if (!kind.empty() && kind != store->kind()) return {};
    if (!TRY(store->has_template(name))) {
      // Collect the names for the error message. A store that can't list its templates adds none.
      for (auto& other : template_names(*store)) names.push_back(std::move(other));
      return {};
    }
    places.push_back(store->description());
    found.store = std::move(store);
    return {};
  };
  TRY_VOID(look_into(std::move(main)));
  // A store whose disk is missing must not hide templates in other stores. Its error matters only if none is found.
  Result<void> unknown;
  for (const auto& other : others) {
    auto store = open_store(other, owner, MissingStore::refuse);
    auto looked = store ? look_into(std::move(*store)) : Result<void>(fail(std::move(store).error()));
    if (!looked && unknown) unknown = fail(std::move(looked).error().within(other));
  }
  if (found.store == nullptr) {
    TRY_VOID(std::move(unknown));
    return fail(missing_template(asked, "", std::move(names)));
  }
  if (places.size() > 1) {
    return fail(fmt::format("template '{}' is in {}; say which: KIND:{}", name, text::join(places, " and "), name));
  }
  return found;
}

}  // namespace isolate
