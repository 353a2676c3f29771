#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "acquire/daemon_lease.h"
#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/interruption.h"
#include "isolatectl/warm_keeper.h"
#include "linux/memory.h"
#include "linux/own_program.h"
#include "wire/client.h"

namespace isolate {
namespace {

// Follows the template of the guests: where runs get it from, and its newest generation there.
class TemplateWatch {
 public:
  TemplateWatch(Context* context, const WarmOptions& options) : context_(*context) {
    request_.template_name = options.template_name;
  }

  // Returns a text that stands for the store and the newest generation. Errors: there is no such template.
  Result<std::string> look() {
    is_leased_ = context_.asks_daemon() && TRY(DaemonLease::is_wanted(request_, &context_.owner()));
    return is_leased_ ? look_at_daemon() : look_at_own_store();
  }
  // For isolate -z.
  std::string reference() const { return own_ ? context_.reference(*own_, name()) : name(); }
  std::chrono::seconds interval() const {
    if (is_leased_) return std::chrono::seconds(5);
    // A generation of ZFS may have to be looked up by a program, so not each second.
    return std::chrono::seconds(own_ && own_->store->kind() == "zfs" ? 10 : 0);
  }

 private:
  const std::string& name() const { return request_.template_name; }

  Result<std::string> look_at_own_store() {
    if (!own_) own_ = TRY(context_.find(name()));
    return std::to_string(TRY(own_->store->generation_for_runs(own_->name)).number);
  }

  Result<std::string> look_at_daemon() {
    wire::LeaseRequest asked;
    asked.template_name = name();
    const auto newest = wire::leased_generation(asked);
    if (newest) return known_ = fmt::format("{} {}", newest->store, newest->generation);
    // A daemon that is restarted just now has lost nothing.
    const bool is_gone = newest.error().refusal == wire::Refusal::no_such_template;
    if (!known_.empty() && !is_gone) return known_;
    return fail(DaemonLease::error_of(request_, context_.owner().caller(), newest.error()));
  }

  Context& context_;
  RunRequest request_;
  bool is_leased_ = false;
  std::optional<TemplatePlace> own_;
  std::string known_;  // what the daemon has answered
};

std::vector<std::string> command_line(const Context& context, const std::string& isolate, const std::string& reference,
                                      const WarmOptions& options) {
  std::vector<std::string> words = {isolate, "--hold", "--status-fd", "1", "-z", reference};
  if (!context.store_option().empty()) words.insert(words.end(), {"--store", context.store_option()});
  words.insert(words.end(), options.options.begin(), options.options.end());
  return words;
}

bool is_short_of_memory(bool was_short) {
  const auto memory = machine_memory();
  return memory && memory->is_short(was_short);
}

}  // namespace

Result<void> keep_warm(Context& context, const WarmOptions& options) {
  const auto isolate = TRY(find_own_program("isolate"));
  TemplateWatch watch(&context, options);
  TRY(watch.look());
  Interruption::catch_signals();
  auto keeper = TRY(WarmKeeper::make({command_line(context, isolate, watch.reference(), options), options.size,
                                      [&watch] { return watch.look(); }, watch.interval(), is_short_of_memory}));
  return keeper.run([&] {
    log::info(fmt::format("{} warm {} of template {} ready; Ctrl-C ends {}", options.size,
                          options.size == 1 ? "guest" : "guests", options.template_name,
                          options.size == 1 ? "it" : "them"));
  });
}

}  // namespace isolate
