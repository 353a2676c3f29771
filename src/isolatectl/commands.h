// The verbs of isolatectl, one function each. A function prints the verb's result and returns an error for main() to
// print.
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

// The stores that isolatectl works on, and the user who runs it.
class Context {
 public:
  // `stores` are the values of --store. A directory or overlay:DIR replaces the main store; btrfs:DIR and zfs:POOL/PATH
  // limit every verb to that store. Errors: the user has no home directory; a store is not of these forms.
  static Result<std::unique_ptr<Context>> open(const std::vector<std::string>& stores, bool json, bool quiet);

  // Finds a template by the name that the user gave. Errors: no such template, with the names of those that exist;
  // there is no store.
  Result<TemplatePlace> find(const std::string& asked);
  // Returns the name of the template for `isolate -z`, which knows no store but the main one: `asked`, unless --store
  // names another store.
  std::string reference(const TemplatePlace& place, const std::string& asked) const;
  // The value of `isolate --store`: the main store if the user named it; otherwise empty.
  std::string store_option() const { return names_main_ ? main_ : ""; }
  // Opens the store in which new templates are made, and creates it if it is missing.
  Result<std::unique_ptr<Store>> target();
  // Opens all known stores, the main store first. Skips another store that can't be opened, with a warning. The list is
  // empty if the user's own store was not made yet. Errors: the main store can't be opened; the store that the user
  // named with --store does not exist.
  Result<std::vector<std::unique_ptr<Store>>> stores();

  OwnerNamespace& owner() { return owner_; }
  const OwnerNamespace& owner() const { return owner_; }
  const std::string& main_store() const { return main_; }
  // Whether verbs also ask the daemon. They do for an ordinary user who names no store.
  bool asks_daemon() const { return asks_daemon_; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }

 private:
  Context(std::string main, std::string only, bool json, bool quiet)
      : main_(std::move(main)), only_(std::move(only)), json_(json), quiet_(quiet), owner_(Caller::current()) {}
  bool asks_daemon_ = false;
  bool names_main_ = false;  // the user named the main store
  std::string main_;
  std::string only_;  // the store to which all verbs are limited; empty: they work on all stores
  bool json_;
  bool quiet_;
  OwnerNamespace owner_;
};

// A running lease, and the store that its clone is in.
struct LeasePlace {
  std::unique_ptr<Store> store;
  LeaseInfo info;
};
// Looks for a running lease in the caller's stores. Returns nothing if they have none with this id.
Result<std::optional<LeasePlace>> find_own_lease(Context& context, const std::string& clone_id);
// The error for the id of a lease that neither the caller's stores nor the daemon know.
Error no_lease(const std::string& clone_id);

struct CreateOptions {
  std::string name;
  std::string from;
  std::vector<std::string> mirrors;
  std::string variant = "minbase";
  std::vector<std::string> include;
  bool force = false;  // accept a source that does not look like a Linux root
};

Result<void> create_template(Context& context, const CreateOptions& options);
struct EditOptions {
  std::string name;
  std::vector<std::string> command;    // empty: start a shell
  std::vector<std::string> variables;  // for the command: NAME=VALUE, or NAME to copy the caller's value
  bool go_on = false;                  // continue with the changes that an earlier edit has left
  bool publish = false;                // make the changes of an earlier edit the next generation
  bool discard = false;                // discard the changes of an earlier edit
};
// Runs the command, or a shell, in the template and returns its exit status. The changes become the next generation if
// the status is 0, or, after a shell on a terminal, if the user says so. Otherwise they are kept until the user
// publishes or discards them.
Result<int> edit_template(Context& context, const EditOptions& options);
Result<void> snapshot_template(Context& context, const std::string& name);
Result<void> remove_template(Context& context, const std::string& name);
// `with_size` adds what each template takes on disk. This takes long, because every file has to be looked at.
Result<void> list_templates(Context& context, bool with_size);
Result<void> show_template(Context& context, const std::string& name);
// `kept_too`: also remove the clones that were kept with isolate --keep.
Result<void> collect_garbage(Context& context, bool kept_too);
// Lists one pool, or all pools if `name` is empty.
Result<void> list_pools(Context& context, const std::string& name);
// Registers the template for members, too.
Result<void> resize_pool(Context& context, const std::string& name, unsigned size);
// Sets the size 0. Errors: also a template without a pool, because draining must not register it.
Result<void> drain_pool(Context& context, const std::string& name);
// Registers the ids to which the template's files belong. `uid_base` is a number, "none" to remove the registration, or
// empty to print it. `gid_base` is a number; empty means the same number as `uid_base`.
Result<void> range_of_pool(Context& context, const std::string& name, const std::string& uid_base,
                           const std::string& gid_base);
// Lists running leases, or the kept clones if `kept` is true.
Result<void> list_leases(Context& context, bool kept);
// Ends the run that holds a clone, and returns when it has ended.
Result<void> kill_lease(Context& context, const std::string& clone_id);
struct ExecOptions {
  std::string lease;
  std::vector<std::string> command;
  std::vector<std::string> variables;
  std::string directory;
  bool own_terminal = false;
};
// Runs a command in a running lease and returns its exit status. If the command can't be run, it prints the error and
// returns 125.
int exec_in_lease(Context& context, const ExecOptions& options);
struct WarmOptions {
  std::string template_name;
  unsigned size = 0;
  std::vector<std::string> options;  // of isolate
};
// Keeps warm guests of the template ready until a signal asks for an end.
Result<void> keep_warm(Context& context, const WarmOptions& options);
struct LauncherOptions {
  std::string name;
  std::string template_name;
  bool share_net = false;
  std::optional<std::string> home;  // the value of isolate --home; nothing: a temporary home
  std::string icon;  // a path on the host, or the name of an icon of the host's themes; empty: that of the template
  std::vector<std::string> command;
};
// Writes a .desktop file that starts the command in a fresh clone of the template with the desktop shared.
Result<void> create_launcher(Context& context, const LauncherOptions& options);
Result<void> list_launchers(Context& context);
Result<void> remove_launcher(Context& context, const std::string& name);
// Prints whether the daemon runs, and how many connections it serves.
Result<int> show_status(Context& context);

}  // namespace isolate
