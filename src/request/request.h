// RunRequest: what the user asked for, checked; plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "limits/limit_group.h"
#include "linux/capability.h"
#include "request/lxc_settings.h"
#include "request/resource_limits.h"

namespace isolate {

enum class EngineKind { bwrap, lxc, chroot };
enum class UsernsMode {
  automatic,      // root: a private range; others: id 0 is the caller, the rest his range
  private_range,  // no id inside is the caller
  single,         // one id only
};

// What becomes of the caller's supplementary groups. Root's commands never have any.
enum class GroupsMode {
  automatic,  // kept where a bind depends on one
  keep,
  drop,
};

// Which seccomp filters are put on.
struct SeccompChoice {
  enum class Kind {
    automatic,  // the engine's
    standard,   // what feeds a terminal, and what Docker refuses
    terminal,   // what feeds a terminal
    none,
    file,  // what feeds a terminal, and a profile
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

struct RunRequest {
  EngineKind engine = EngineKind::bwrap;
  std::string directory;      // template mode; absolute
  std::string template_name;  // clone mode
  std::string store;          // directory of the overlay store
  std::vector<Bind> binds;
  std::vector<std::string> environment;  // NAME=VALUE, later ones win
  std::string working_directory = "/";
  std::optional<std::uint32_t> uid_base;
  std::optional<std::uint32_t> gid_base;
  UsernsMode userns = UsernsMode::automatic;
  GroupsMode groups = GroupsMode::automatic;
  bool share_network = false;
  bool read_only = false;
  bool empty_home = false;  // /home is empty memory instead of the template's
  bool keep = false;
  bool lasting = false;  // the clone becomes a template's next generation
  bool ignore_interrupt = false;
  bool own_terminal = false;  // the guest gets a terminal of its own
  std::uint64_t timeout = 0;  // milliseconds; 0: none
  // Bytes for /tmp, /dev/shm and an empty /home together; 0: the kernel's default, half of memory.
  std::uint64_t memory_files = 0;
  std::vector<ResourceLimit> limits;
  GroupLimits group_limits;       // of the guest as a whole
  bool unlimited_memory = false;  // nor what a container has where nobody asks
  bool unlimited_cpus = false;
  SeccompChoice seccomp;
  LxcSettings lxc;
  bool dry_run = false;
  bool timings = false;
  int status_fd = -1;
  CapabilitySet added_capabilities;
  CapabilitySet dropped_capabilities;
  std::string pre_hook;  // shell commands; empty: none
  std::string post_hook;
  std::vector<std::string> command;
};

// The forms of option values. Errors: plain text that names the option's value and what is wrong with it.
// HOST:TARGET[:ro|:rw], or HOST alone for its own path; "\:" is a colon of a name. Read from the right, so that only a
// colon in TARGET has to be written so, and one in HOST where it would be taken for the last one.
Result<Bind> parse_bind(std::string_view text);
std::string escaped_colons(std::string_view path);          // as parse_bind reads it
Result<std::string> parse_variable(std::string_view text);  // NAME:VALUE or NAME=VALUE -> NAME=VALUE
// The same, or NAME alone: the variable as this process has it; nothing where it has none.
Result<std::optional<std::string>> parse_variable_of(std::string_view text);
Result<EngineKind> parse_engine(std::string_view text);
const char* engine_name(EngineKind engine);
Result<UsernsMode> parse_userns(std::string_view text);
Result<GroupsMode> parse_groups(std::string_view text);
Result<SeccompChoice> parse_seccomp(std::string_view text);  // default, tty, none, or a file
Result<std::uint32_t> parse_id_base(std::string_view text, const char* what);

}  // namespace isolate
