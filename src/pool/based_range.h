// Ranges of ids that a run names with -u and -g, and the check who may use which range. The files of a template have no
// say: only root's registration and /etc/subuid and /etc/subgid decide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "linux/idmap.h"

namespace isolate {

class Pool;

// The first user id and the first group id of a range of kGuestIds users and kGuestIds groups.
struct BasedRange {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const BasedRange&) const = default;
};
// For people, such as "100000 to 165535".
std::string describe(const BasedRange& range);

// The files that assign ids to users. Tests use other paths.
struct IdFiles {
  std::string subuid = "/etc/subuid";
  std::string subgid = "/etc/subgid";
};

// Errors: plain text: the range contains a user or group of the host, or ids that isolate lends to runs and leases.
Result<void> check_unused(const BasedRange& range);
// Returns the user, other than root and `caller`, to whom these files assign any of the ids; "" if there is none.
std::string other_holder(const BasedRange& range, std::uint32_t caller, const IdFiles& files = {});

// Checks whether a member may use the range with a template for which root has registered `registered`. Errors: plain
// text with the reason and advice.
Result<void> check_member_may_use(const BasedRange& range, const std::optional<BasedRange>& registered,
                                  std::uint32_t caller, const IdFiles& files = {});

// Returns the range that root has registered for members' leases of a template. It is stored beside the pool's size, in
// a file that belongs to root.
Result<std::optional<BasedRange>> registered_range(const Pool& pool);
// Registers the range; without a value removes the registration, so that members may use only ranges of their own.
// Errors: those of check_unused(); plain text: the ids belong to another user.
Result<void> register_range(const Pool& pool, const std::optional<BasedRange>& range);

}  // namespace isolate
