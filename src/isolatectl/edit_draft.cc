#include "isolatectl/edit_draft.h"

#include <time.h>
#include <unistd.h>

#include <cstdint>

#include "run/run.h"

namespace isolate {
namespace {

// A draft in a store whose templates are changed through a clone. The clone becomes the next generation.
class CloneDraft : public EditDraft {
 public:
  CloneDraft(Context* context, const TemplatePlace& place)
      : context_(*context), place_(place), pool_(place.store.get(), place.name) {}

  Result<void> take(bool existing) {
    LeaseInfo info;
    if (existing) info = TRY(pool_.draft()).value_or(LeaseInfo());
    info.engine = "chroot";
    info.user = std::to_string(context_.owner().caller().uid);
    info.pid = ::getpid();
    info.since = ::time(nullptr);
    info.edit = true;
    lease_ = std::make_unique<Lease>(TRY(existing ? Lease::resume(&pool_, info) : Lease::take(&pool_, info)));
    return {};
  }

  std::vector<std::string> directories() const override {
    const auto& root = lease_->root();
    return root.lower.empty() ? std::vector<std::string>{root.directory} : root.lower;
  }
  int run(RunRequest request) override {
    request.template_name = place_.name;
    return run_on_lease(request, *lease_, &context_.owner());
  }
  bool is_unchanged() override {
    return place_.store->is_unchanged(lease_->generation(), lease_->id()).value_or(false);
  }

  Result<std::uint64_t> publish() override {
    Result<std::uint64_t> published = publish_clone();
    // If publishing fails, the draft must stay, so that the user's changes are not lost.
    auto ended = published ? discard() : leave();
    if (published) TRY_VOID(std::move(ended));
    return published;
  }
  Result<void> discard() override {
    // If the clone can't be removed now, drop() still succeeds, and the next reap of the pool removes the clone.
    TRY(lease_->drop());
    return {};
  }
  Result<void> leave() override { return lease_->keep(); }

 private:
  Result<std::uint64_t> publish_clone() {
    auto alone = TRY(pool_.lock(FileLock::Mode::exclusive));
    return place_.store->publish_clone(lease_->generation(), lease_->id());
  }

  Context& context_;
  const TemplatePlace& place_;
  Pool pool_;
  std::unique_ptr<Lease> lease_;
};

// A draft in a store that changes the template's own directory (Store::has_working_tree). The store keeps the state
// before the changes.
class DraftInPlace : public EditDraft {
 public:
  explicit DraftInPlace(const TemplatePlace& place) : place_(place) {}

  Result<void> begin() {
    directory_ = TRY(place_.store->begin_changes(place_.name));
    return {};
  }

  std::vector<std::string> directories() const override { return {directory_}; }
  int run(RunRequest request) override {
    request.directory = directory_;
    return isolate::run(request);
  }
  bool is_unchanged() override { return false; }

  Result<std::uint64_t> publish() override { return place_.store->snapshot(place_.name); }
  Result<void> discard() override { return place_.store->discard_changes(place_.name); }
  Result<void> leave() override { return place_.store->leave_changes(place_.name); }

 private:
  const TemplatePlace& place_;
  std::string directory_;
};

Result<std::unique_ptr<EditDraft>> open_draft(Context* context, const TemplatePlace& place, bool existing) {
  if (place.store->has_working_tree()) {
    auto draft = std::make_unique<DraftInPlace>(place);
    TRY_VOID(draft->begin());
    return draft;
  }
  auto draft = std::make_unique<CloneDraft>(context, place);
  TRY_VOID(draft->take(existing));
  return draft;
}

}  // namespace

Result<bool> EditDraft::exists(const TemplatePlace& place) {
  if (place.store->has_working_tree()) return place.store->has_changes(place.name);
  Pool pool(place.store.get(), place.name);
  // If an edit was killed, its clone is still in the state "leased". reap() finds that nobody holds the lease and keeps
  // the clone as a draft. Other clones that reap() can't remove do not matter here.
  TRY(pool.reap(ReapLimits{}));
  return TRY(pool.draft()).has_value();
}

Result<std::unique_ptr<EditDraft>> EditDraft::begin(Context* context, const TemplatePlace& place) {
  return open_draft(context, place, false);
}

Result<std::unique_ptr<EditDraft>> EditDraft::resume(Context* context, const TemplatePlace& place) {
  return open_draft(context, place, true);
}

}  // namespace isolate
