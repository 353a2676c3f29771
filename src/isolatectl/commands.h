// What isolatectl does, one function a verb. Each prints its result and gives back an error for main to print.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "isolatectl/template_source.h"
#include "linux/caller.h"
#include "pool/lease.h"
#include "store/overlay_store.h"

namespace isolate {

// The store, and the user who works on it.
class Context {
 public:
  // Errors: those of opening the store.
  static Result<std::unique_ptr<Context>> open(const std::string& store_option, bool json, bool quiet);

  OverlayStore& store() { return *store_; }
  OwnerNamespace& owner() { return owner_; }
  Pool pool(const std::string& template_name) { return Pool(&store(), path_, template_name); }
  const std::string& path() const { return path_; }
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }

 private:
  Context(std::string path, bool json, bool quiet)
      : path_(std::move(path)), json_(json), quiet_(quiet), owner_(Caller::current()) {}
  std::string path_;
  bool json_;
  bool quiet_;
  OwnerNamespace owner_;
  std::unique_ptr<OverlayStore> store_;
};

struct CreateOptions {
  std::string name;
  std::string from;
  std::vector<std::string> mirrors;
  std::string variant = "minbase";
  std::vector<std::string> include;
};

Result<void> create_template(Context& context, const CreateOptions& options);
// The exit status of the command; changes are published only when it is 0.
Result<int> edit_template(Context& context, const std::string& name, const std::vector<std::string>& command);
Result<void> remove_template(Context& context, const std::string& name);
Result<void> list_templates(Context& context);
Result<void> show_template(Context& context, const std::string& name);
Result<void> collect_garbage(Context& context, bool kept_too);
Result<void> list_leases(Context& context, bool kept);

}  // namespace isolate
