// Caller: the user who runs this program, and which ids are his to map.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "linux/idmap.h"
#include "linux/user_namespace.h"

namespace isolate {

struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool is_root() const { return uid == 0; }

  // Reads the real ids of this process; no look-up of names yet.
  static Caller current();
  std::string name() const;
  // $HOME, or where that is not an absolute path, as in jobs of cron, the home of the user database; empty: neither.
  std::string home() const;
};

// The ids that files in an ordinary user's own store belong to: inside 0 is the user, 1.. the range of /etc/subuid.
struct OwnedIds {
  IdMaps maps;
  MapWriter writer = MapWriter::self;
  bool has_range() const { return writer != MapWriter::self; }
};

// Errors: none; without a range in /etc/subuid and /etc/subgid it is the single id.
OwnedIds owned_ids(const Caller& caller);

// What a user without a range reads: how to get one, which nobody else has. `may_do_without`: the program has
// --userns=single.
std::string advice_on_subids(const Caller& caller, bool may_do_without);

// A user namespace in which the caller is root over all files of his own store; made when it is first needed.
// For root there is none, and things are done directly.
class OwnerNamespace {
 public:
  explicit OwnerNamespace(const Caller& caller) : caller_(caller) {}
  const Caller& caller() const { return caller_; }
  const OwnedIds& ids();
  // Has the namespace made while other work is done. What fails is told by descriptor().
  void begin();
  // -1 for root.
  Result<int> descriptor();
  Result<void> run(const std::function<Result<void>()>& body);

 private:
  Caller caller_;
  std::optional<OwnedIds> ids_;
  std::optional<Result<PendingUserNamespace>> pending_;
  Fd descriptor_;
};

}  // namespace isolate
