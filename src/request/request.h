// RunRequest: everything that a user asked for on the command line and in the configuration, as plain data. Each value
// has been checked by itself; whether they go together is decided later, when isolate makes the plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "limits/limit_group.h"
#include "linux/capability.h"
#include "request/lxc_settings.h"
#include "request/resource_limits.h"

namespace isolate {

enum class EngineKind { bwrap, lxc, native, chroot };
enum class UsernsMode {
  automatic,      // for root a private range; for others id 0 is the caller, and the other ids are the caller's range
  private_range,  // no id inside is the caller's
  single,         // the caller's id is the only one inside
};

// Whether the command keeps the caller's supplementary groups. Root's commands never have any.
enum class GroupsMode {
  automatic,  // keep them if a bind can't be used without one of them
  keep,
  drop,
};

// Which system calls the seccomp filters refuse.
struct SeccompChoice {
  enum class Kind {
    automatic,  // the engine decides
    standard,   // those that type into a terminal, and those that Docker's profile refuses
    terminal,   // those that type into a terminal
    none,       // none
    file,       // those that type into a terminal, and those that the OCI profile `file` refuses
  };
  Kind kind = Kind::automatic;
  std::string file;
  bool operator==(const SeccompChoice&) const = default;
};

struct Bind {
  std::string source;
  std::string target;
  bool read_only = false;
  bool operator==(const Bind&) const = default;
};

// A thing of the host that the user asked for by the option of a share (share/share.h), such as --x11.
struct ShareWish {
  std::string option;        // the option's long name
  std::string value;         // empty: the option was given without a value
  bool is_optional = false;  // the run goes on with a warning if the host does not have it
  bool operator==(const ShareWish&) const = default;
};

// Whether the run takes a warm guest (isolate --hold).
enum class WarmUse {
  automatic,  // if there is one that fits
  required,   // the run fails if there is none
  never,
};

struct RunRequest {
  EngineKind engine = EngineKind::bwrap;
  std::string directory;      // template mode (-t): an absolute path without symbolic links
  std::string template_name;  // clone mode (-z); exactly one of the two is set
  std::string store;          // directory of the overlay store; empty: the caller's own
  std::vector<Bind> binds;
  std::vector<ShareWish> shares;         // in the order in which they were asked for
  std::vector<std::string> declined;     // options of shares that are set to false, which --desktop leaves out
  std::vector<std::string> environment;  // NAME=VALUE; a later one overrides an earlier one
  std::string working_directory;         // empty: the home of --home, or else "/"
  std::optional<std::uint32_t> uid_base;
  std::optional<std::uint32_t> gid_base;
  UsernsMode userns = UsernsMode::automatic;
  GroupsMode groups = GroupsMode::automatic;
  bool share_network = false;
  bool read_only = false;
  bool empty_home = false;  // /home is an empty directory in memory, and the template's is hidden
  bool keep = false;
  bool lasting = false;  // the changes are to become the template's next generation (isolatectl template edit)
  bool ignore_interrupt = false;
  bool own_terminal = false;  // the guest gets a terminal of its own
  std::uint64_t timeout = 0;  // milliseconds; 0: no timeout
  // Bytes for files in /tmp, /dev/shm and an empty /home together; 0: the kernel's default, half of memory.
  std::uint64_t memory_files = 0;
  std::vector<ResourceLimit> limits;
  GroupLimits group_limits;       // of the guest as a whole
  bool unlimited_memory = false;  // "unlimited" was asked for: a container does not get its usual limit either
  bool unlimited_cpus = false;
  SeccompChoice seccomp;
  LxcSettings lxc;
  bool dry_run = false;
  bool timings = false;
  bool sync = false;  // do not end before the clone is removed
  bool hold = false;  // makes a guest, and waits for a run that takes it
  WarmUse warm = WarmUse::automatic;
  // The options and settings that decide how the guest is made, with their values, in the order in which they were
  // given.
  std::vector<std::pair<std::string, std::string>> guest_options;
  bool quiet = false;
  int status_fd = -1;
  CapabilitySet added_capabilities;
  CapabilitySet dropped_capabilities;
  std::string pre_hook;  // a shell command; empty: no hook
  std::string post_hook;
  std::vector<std::string> command;
};

// Each function below parses the value of an option. Errors are plain text that names the value and what is wrong.

// HOST:TARGET[:ro|:rw], or HOST[:ro|:rw] if TARGET is the same path. "\:" is a colon that belongs to a name. The text
// is read from the right. Therefore a colon in HOST needs the backslash only if no separating colon follows it.
Result<Bind> parse_bind(std::string_view text);
// Puts a backslash before each colon, so that parse_bind() takes the path as one name.
std::string escaped_colons(std::string_view path);
// NAME:VALUE or NAME=VALUE; returns NAME=VALUE.
Result<std::string> parse_variable(std::string_view text);
// The same; NAME alone takes the value that the variable has in this process, and returns nothing if it is not set.
Result<std::optional<std::string>> parse_variable_of(std::string_view text);
Result<EngineKind> parse_engine(std::string_view text);
const char* engine_name(EngineKind engine);
Result<UsernsMode> parse_userns(std::string_view text);
Result<GroupsMode> parse_groups(std::string_view text);
Result<WarmUse> parse_warm(std::string_view text);
Result<SeccompChoice> parse_seccomp(std::string_view text);  // default, tty, none, or a file
// The first of the 65536 ids of a guest, on the host. `what` is the option's name for messages.
Result<std::uint32_t> parse_id_base(std::string_view text, const char* what);

}  // namespace isolate
