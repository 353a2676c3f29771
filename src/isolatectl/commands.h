// What isolatectl does, one function a verb. Each prints its result and gives back an error for main to print.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolatectl/template_source.h"
#include "linux/caller.h"
#include "pool/lease.h"
#include "store/open.h"

namespace isolate {

// The stores, and the user who works on them.
class Context {
 public:
  // `stores`: what --store gave: a directory is the main store, btrfs:DIR or zfs:POOL/PATH the one to work on alone.
  // Errors: there is no home directory; a store that is none.
  static Result<std::unique_ptr<Context>> open(const std::vector<std::string>& stores, bool json, bool quiet);

  // The store of a template that exists, or of those that are to come.
  Result<TemplatePlace> find(const std::string& asked);
  Result<std::unique_ptr<Store>> target();
  // All that are known, the main one first. One that can't be opened is told, and left out.
  Result<std::vector<std::unique_ptr<Store>>> stores();

  OwnerNamespace& owner() { return owner_; }
  const std::string& main_store() const { return main_; }
  // An ordinary user who names no store sees what the daemon has for him, too.
  bool asks_daemon() const { return asks_daemon_; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }

 private:
  Context(std::string main, std::string only, bool json, bool quiet)
      : main_(std::move(main)), only_(std::move(only)), json_(json), quiet_(quiet), owner_(Caller::current()) {}
  bool asks_daemon_ = false;
  std::string main_;
  std::string only_;  // empty: all
  bool json_;
  bool quiet_;
  OwnerNamespace owner_;
};

// A running lease in a store that the caller works on.
struct LeasePlace {
  std::unique_ptr<Store> store;
  LeaseInfo info;
};
// Nothing where there is none.
Result<std::optional<LeasePlace>> find_own_lease(Context& context, const std::string& clone_id);
// What to say where nobody has one.
Error no_lease(const std::string& clone_id);

struct CreateOptions {
  std::string name;
  std::string from;
  std::vector<std::string> mirrors;
  std::string variant = "minbase";
  std::vector<std::string> include;
  bool force = false;  // also of a source that does not look like a Linux root
};

Result<void> create_template(Context& context, const CreateOptions& options);
struct EditOptions {
  std::string name;
  std::vector<std::string> command;    // empty: a shell
  std::vector<std::string> variables;  // for its environment: NAME=VALUE, or NAME for the value outside
  bool go_on = false;                  // with the changes that an earlier edit has left
  bool publish = false;                // make those the next generation as they are
  bool discard = false;                // drop those
};
// The exit status of the command. Its changes become the next generation when that is 0, or when the user of a shell
// says so; otherwise they are kept until they are published or discarded.
Result<int> edit_template(Context& context, const EditOptions& options);
Result<void> snapshot_template(Context& context, const std::string& name);
Result<void> remove_template(Context& context, const std::string& name);
// `with_size`: with what each takes on disk, for which all of its files are looked at.
Result<void> list_templates(Context& context, bool with_size);
Result<void> show_template(Context& context, const std::string& name);
Result<void> collect_garbage(Context& context, bool kept_too);
Result<void> list_pools(Context& context, const std::string& name);  // empty: all
Result<void> resize_pool(Context& context, const std::string& name, unsigned size);
// `uid_base`: a number, "none", or empty: prints the range. `gid_base`: a number, or empty: the same as `uid_base`.
Result<void> range_of_pool(Context& context, const std::string& name, const std::string& uid_base,
                           const std::string& gid_base);
Result<void> list_leases(Context& context, bool kept);
// Ends a run that holds a clone; returns when it is over.
Result<void> kill_lease(Context& context, const std::string& clone_id);
struct ExecOptions {
  std::string lease;
  std::vector<std::string> command;
  std::vector<std::string> variables;
  std::string directory;
  bool own_terminal = false;
};
// Runs a command in a running lease: its exit status, or 125, told as an error, when it could not be run.
int exec_in_lease(Context& context, const ExecOptions& options);
// Whether the daemon runs, and what it does.
Result<int> show_status(Context& context);

}  // namespace isolate
