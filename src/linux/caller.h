// Caller: the user who runs this program, and the ids that they may map into a user namespace.
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

  // Reads the real user and group id of this process. Looks up no names.
  static Caller current();
  // The user's name, or their numeric id if no database names it.
  std::string name() const;
  // $HOME if it is an absolute path, which it is not in a cron job, for instance. Otherwise the home directory from the
  // user database, or "" if that has none.
  std::string home() const;
};

// The ids that own the files in an ordinary user's own store. Inside the namespace id 0 is the user, and the ids from 1
// on are the user's ranges of /etc/subuid and /etc/subgid.
struct OwnedIds {
  IdMaps maps;
  MapWriter writer = MapWriter::self;
  bool has_range() const { return writer != MapWriter::self; }
};

// Without a range in both /etc/subuid and /etc/subgid, the result maps only the caller's own id.
OwnedIds owned_ids(const Caller& caller);

// Advice for a user without a range of ids: the command that gives them one that nobody else uses. `may_do_without`:
// the program has the option --userns=single, which the advice then mentions.
std::string advice_on_subids(const Caller& caller, bool may_do_without);

// A user namespace in which the caller is root over all files of their own store. It is created on first use. Root
// needs none: then run() calls its body in this process.
class OwnerNamespace {
 public:
  explicit OwnerNamespace(const Caller& caller) : caller_(caller) {}
  const Caller& caller() const { return caller_; }
  const OwnedIds& ids();
  // Starts to create the namespace, so that other work can go on meanwhile. descriptor() returns the error, if any.
  void begin();
  // Returns a descriptor that this object owns, or -1 if the caller is root.
  Result<int> descriptor();
  // Runs `body` in a child that is root in the namespace; for root, in this process.
  Result<void> run(const std::function<Result<void>()>& body);

 private:
  Caller caller_;
  std::optional<OwnedIds> ids_;
  std::optional<Result<PendingUserNamespace>> pending_;
  Fd descriptor_;
};

}  // namespace isolate
