#include "linux/caller.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "linux/file.h"

namespace isolate {
namespace {

std::vector<IdMapEntry> with_range(std::uint32_t own, const std::vector<IdRange>& ranges) {
  std::vector<IdMapEntry> map = {{0, own, 1}};
  std::uint32_t next = 1;
  for (const auto& range : ranges) {
    // One more than the guest's ids, so that a private namespace of 65536 fits below.
    const auto count = std::min(range.count, kGuestIds + 1 - next);
    if (count == 0) break;
    map.push_back({next, range.base, count});
    next += count;
  }
  return map;
}

std::vector<IdRange> ranges_in(const char* path, const std::string& name, std::uint32_t uid) {
  auto text = read_file(path, 16 << 20);
  if (!text) return {};
  return parse_subids(*text, name, uid);
}

}  // namespace

Caller Caller::current() { return {::getuid(), ::getgid()}; }

std::string Caller::name() const {
  auto found = user_name(uid);
  return found.empty() ? std::to_string(uid) : found;
}

std::string Caller::home() const {
  const char* value = std::getenv("HOME");
  return value != nullptr && *value == '/' ? value : "";
}

OwnedIds owned_ids(const Caller& caller) {
  const std::string name = user_name(caller.uid);
  const auto uids = ranges_in("/etc/subuid", name, caller.uid);
  const auto gids = ranges_in("/etc/subgid", name, caller.uid);
  if (uids.empty() || gids.empty()) {
    return {{{{0, caller.uid, 1}}, {{0, caller.gid, 1}}}, MapWriter::self};
  }
  return {{with_range(caller.uid, uids), with_range(caller.gid, gids)}, MapWriter::newuidmap};
}

std::string advice_on_subids(const Caller& caller) {
  return fmt::format(
      "user {0} has no range of ids in /etc/subuid and /etc/subgid; root can give one: usermod --add-subuids "
      "100000-165535 "
      "--add-subgids 100000-165535 {0} (a range nobody else has); or run with --userns=single: one id, so no chown and "
      "no "
      "other users inside",
      caller.name());
}

const OwnedIds& OwnerNamespace::ids() {
  if (!ids_) ids_ = owned_ids(caller_);
  return *ids_;
}

void OwnerNamespace::begin() {
  if (caller_.is_root() || descriptor_ || pending_) return;
  pending_ = PendingUserNamespace::start(ids().maps, ids().writer);
}

Result<int> OwnerNamespace::descriptor() {
  if (caller_.is_root()) return -1;
  if (descriptor_) return descriptor_.get();
  begin();
  auto pending = std::move(*pending_);
  pending_.reset();
  descriptor_ = TRY(TRY(std::move(pending)).finish());
  return descriptor_.get();
}

Result<void> OwnerNamespace::run(const std::function<Result<void>()>& body) {
  return run_as_root_in(TRY(descriptor()), body);
}

}  // namespace isolate
