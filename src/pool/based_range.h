// Ranges of ids that a run names with -u and -g instead of being lent one, and who may have which. No file of a
// template decides that: only what root has registered, and /etc/subuid and /etc/subgid.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "linux/idmap.h"

namespace isolate {

class Pool;

// The first of kGuestIds users, and of as many groups.
struct BasedRange {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const BasedRange&) const = default;
};
std::string describe(const BasedRange& range);

// Which ids are whose; the paths are for tests.
struct IdFiles {
  std::string subuid = "/etc/subuid";
  std::string subgid = "/etc/subgid";
};

// Errors: plain text: the range holds a user or group of the host, or ids that isolate lends to other runs and leases.
Result<void> check_unused(const BasedRange& range);
// The user other than root and `caller` to whom these files give some of the ids; empty: nobody.
std::string other_holder(const BasedRange& range, std::uint32_t caller, const IdFiles& files = {});

// Whether a member may have the range with a template for which root has registered `registered`.
// Errors: plain text: they may not, and why.
Result<void> check_member_may_use(const BasedRange& range, const std::optional<BasedRange>& registered,
                                  std::uint32_t caller, const IdFiles& files = {});

// The range that root has registered for members' leases of a template: a file of root's beside the pool's size.
Result<std::optional<BasedRange>> registered_range(const Pool& pool);
// Nothing: members may have no range of the template's but their own. Errors: those of check_unused and other_holder.
Result<void> register_range(const Pool& pool, const std::optional<BasedRange>& range);

}  // namespace isolate
