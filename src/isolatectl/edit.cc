// isolatectl template edit and snapshot
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/edit_draft.h"
#include "isolatectl/edit_shell.h"
#include "request/request.h"
#include "supervise/outcome.h"

namespace isolate {
namespace {

void report_generation(const Context& context, const std::string& name, std::uint64_t number) {
  if (!context.quiet()) log::info(fmt::format("template {} is now at generation {}", name, number));
}

Result<RunRequest> edit_request(const Context& context, const std::vector<std::string>& variables) {
  RunRequest request;
  for (const auto& text : variables) {
    if (auto variable = TRY(parse_variable_of(text))) request.environment.push_back(std::move(*variable));
  }
  request.engine = EngineKind::chroot;
  request.store = context.main_store();
  request.share_network = true;
  request.lasting = true;
  return request;
}

bool is_on_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

// The advice for a template with unpublished changes. `asked` is the name that the user gave, which may contain a
// store.
std::string advice_on_draft(const std::string& asked) {
  return fmt::format(
      "isolatectl template edit {} --continue goes on with them, --publish makes them the next generation, --discard "
      "drops them",
      asked);
}

class Edit {
 public:
  Edit(Context* context, const TemplatePlace& place, const EditOptions& options, RunRequest request)
      : context_(*context), place_(place), options_(options), request_(std::move(request)) {}

  Result<int> carry_out() {
    const bool wants_draft = options_.go_on || options_.publish || options_.discard;
    const bool has_draft = TRY(EditDraft::exists(place_));
    if (has_draft && !wants_draft) {
      return fail(Error(fmt::format("template '{}' has unpublished changes of an edit", place_.name))
                      .advise(advice_on_draft(options_.name)));
    }
    if (!has_draft && wants_draft) {
      return fail(fmt::format("template '{}' has no unpublished changes of an edit", place_.name));
    }
    draft_ = TRY(has_draft ? EditDraft::resume(&context_, place_) : EditDraft::begin(&context_, place_));
    if (options_.publish) return publish(0);
    if (options_.discard) {
      TRY_VOID(draft_->discard());
      return 0;
    }
    return run();
  }

 private:
  Result<int> run() {
    const bool is_shell = options_.command.empty();
    const bool asks = is_shell && is_on_terminal();
    if (is_shell) {
      auto shell = shell_of(place_.name, draft_->directories(), asks);
      if (!shell) {
        TRY_VOID(leave_or_drop());
        return fail(std::move(shell).error());
      }
      request_.command = std::move(shell->command);
      request_.environment.insert(request_.environment.begin(), shell->environment.begin(), shell->environment.end());
    } else {
      request_.command = options_.command;
    }
    const int status = draft_->run(request_);
    if (draft_->is_unchanged() && (asks || status != 0)) return end_without_changes(asks, status);
    return asks ? end_of_shell() : end_of_command(status);
  }

  Result<int> end_without_changes(bool asks, int status) {
    TRY_VOID(draft_->discard());
    if (asks) {
      if (!context_.quiet()) log::info(fmt::format("template {} is unchanged: the shell wrote nothing", place_.name));
      // These statuses mean that the shell did not start. Any other status is that of the last command in the shell,
      // which says nothing about the edit.
      return status >= kOwnFailure && status <= kNotFound ? status : 0;
    }
    log::warning(fmt::format("template {} is unchanged: the command ended with status {}", place_.name, status));
    return status;
  }

  Result<int> end_of_shell() {
    switch (ask_whether_to_keep(place_.name)) {
      case Answer::keep:
        return publish(0);
      case Answer::drop:
        TRY_VOID(draft_->discard());
        if (!context_.quiet()) log::info(fmt::format("template {} is unchanged", place_.name));
        return 0;
      case Answer::later:
        break;
    }
    TRY_VOID(draft_->leave());
    log::warning(fmt::format("template {} is unchanged; your changes are kept: {}", place_.name,
                             advice_on_draft(options_.name)));
    return 0;
  }

  Result<int> end_of_command(int status) {
    if (status == 0) return publish(status);
    TRY_VOID(draft_->leave());
    log::warning(fmt::format("template {} is unchanged: the command ended with status {}; its changes are kept: {}",
                             place_.name, status, advice_on_draft(options_.name)));
    return status;
  }

  Result<int> publish(int status) {
    auto published = draft_->publish();
    if (!published) {
      const auto advice = "the changes are kept: " + advice_on_draft(options_.name);
      return fail(std::move(published).error().advise(advice));
    }
    report_generation(context_, place_.name, *published);
    return status;
  }

  Result<void> leave_or_drop() { return draft_->is_unchanged() ? draft_->discard() : draft_->leave(); }

  Context& context_;
  const TemplatePlace& place_;
  const EditOptions& options_;
  RunRequest request_;
  std::unique_ptr<EditDraft> draft_;
};

}  // namespace

Result<int> edit_template(Context& context, const EditOptions& options) {
  if ((options.publish || options.discard) && !options.command.empty()) {
    return fail("--publish and --discard run no command; leave out what follows the name of the template");
  }
  auto request = TRY(edit_request(context, options.variables));
  const auto place = TRY(context.find(options.name));
  TRY(place.store->newest_generation(place.name));
  auto editing = TRY(Pool(place.store.get(), place.name).lock_for_edit());
  return Edit(&context, place, options, std::move(request)).carry_out();
}

Result<void> snapshot_template(Context& context, const std::string& name) {
  const auto place = TRY(context.find(name));
  Pool pool(place.store.get(), place.name);
  auto editing = TRY(pool.lock_for_edit());
  if (TRY(EditDraft::exists(place))) {
    return fail(Error(fmt::format("template '{}' has unpublished changes of an edit", place.name))
                    .advise(advice_on_draft(name)));
  }
  auto alone = TRY(pool.lock(FileLock::Mode::exclusive));
  report_generation(context, place.name, TRY(place.store->snapshot(place.name)));
  return {};
}

}  // namespace isolate
