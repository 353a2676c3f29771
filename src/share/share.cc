#include "share/share.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace isolate {
namespace {

// The order in which the shares are mounted.
constexpr std::array kShares = {&kHostSys, &kProcessors, &kResolvConf, &kHosts, &kTun,      &kHome, &kGpu,
                                &kDesktop, &kX11,        &kWayland,    &kPulse, &kPipeWire, &kDbus};

std::vector<std::string> wishes_for(const ShareOption& option, const RunRequest& request) {
  std::vector<std::string> values;
  for (const auto& wish : request.shares) {
    if (wish.option == option.name) values.push_back(wish.value);
  }
  return values;
}

bool is_optional(const ShareOption& option, const RunRequest& request) {
  return std::any_of(request.shares.begin(), request.shares.end(),
                     [&option](const ShareWish& wish) { return wish.option == option.name && wish.is_optional; });
}

void append(SharePlan&& more, SharePlan* all) {
  std::move(more.mounts.begin(), more.mounts.end(), std::back_inserter(all->mounts));
  std::move(more.environment.begin(), more.environment.end(), std::back_inserter(all->environment));
  std::move(more.warnings.begin(), more.warnings.end(), std::back_inserter(all->warnings));
  if (more.user) all->user = std::move(more.user);
  if (!more.locale.empty()) all->locale = std::move(more.locale);
}

Result<void> check_tmp_is_free(const RunRequest& request, const ShareOption& option) {
  for (const auto& bind : request.binds) {
    if (bind.target != "/tmp") continue;
    return fail(fmt::format("--{} needs the guest's own /tmp, which the bind of {} covers; bind it elsewhere",
                            option.name, text::printable(bind.source)));
  }
  return {};
}

}  // namespace

Result<void> Held::open(RootInProgress* /*root*/, const RootMount& /*mount*/, std::size_t /*number*/) { return {}; }
Result<void> Held::mount(RootInProgress* /*root*/, const RootMount& /*mount*/, std::size_t /*number*/) { return {}; }

std::vector<const ShareOption*> share_options() {
  std::vector<const ShareOption*> options;
  for (const auto* share : kShares) {
    if (share->option != nullptr) options.push_back(share->option);
  }
  return options;
}

Result<void> add_wish(const ShareOption& option, const std::string& value, RunRequest* request) {
  const bool is_off = value == "false";
  const std::string given = value == "true" ? "" : value;
  if (!is_off && option.check != nullptr) TRY_VOID(option.check(given));
  if (is_off || !option.is_repeatable) {
    std::erase_if(request->shares, [&](const ShareWish& wish) { return wish.option == option.name; });
  }
  std::erase(request->declined, option.name);
  if (is_off) {
    request->declined.emplace_back(option.name);
  } else {
    request->shares.push_back({option.name, given, false});
  }
  return {};
}

void expand_presets(RunRequest* request) {
  for (const auto* preset : kShares) {
    if (preset->presets == nullptr || wishes_for(*preset->option, *request).empty()) continue;
    for (auto& wish : preset->presets(*request)) {
      const auto is_its_option = [&wish](const Share* share) {
        return share->option != nullptr && wish.option == share->option->name;
      };
      const auto known = std::find_if(kShares.begin(), kShares.end(), is_its_option);
      const auto& declined = request->declined;
      if (std::find(declined.begin(), declined.end(), wish.option) != declined.end()) continue;
      if (known != kShares.end() && wishes_for(*(*known)->option, *request).empty()) {
        request->shares.push_back(std::move(wish));
      }
    }
  }
}

Result<SharePlan> look_up_shares(const RunRequest& request, const Caller& caller) {
  SharePlan all;
  std::vector<std::string> missing;
  for (const auto* share : kShares) {
    if (share->option == nullptr) continue;
    const auto wishes = wishes_for(*share->option, request);
    if (wishes.empty()) continue;
    if (share->needs_tmp) TRY_VOID(check_tmp_is_free(request, *share->option));
    auto found = share->look_up(request, caller, wishes);
    if (!found && is_optional(*share->option, request)) {
      missing.push_back(std::string("--") + share->option->name + ": " + found.error().message());
      continue;
    }
    if (!found) return fail(std::move(found).error().within(std::string("--") + share->option->name));
    for (auto& mount : found->mounts) {
      mount.kind = MountKind::share;
      mount.share = share;
    }
    append(std::move(*found), &all);
  }
  if (!missing.empty()) all.warnings.push_back("the guest runs without " + text::join(missing, "; and without "));
  return all;
}

std::vector<RootMount> plan_shares(const RunRequest& request) {
  std::vector<RootMount> mounts;
  for (const auto* share : kShares) {
    if (share->plan == nullptr) continue;
    auto mount = share->plan(request);
    if (!mount) continue;
    mount->kind = MountKind::share;
    mount->share = share;
    mounts.push_back(std::move(*mount));
  }
  return mounts;
}

Result<std::vector<std::unique_ptr<Held>>> start_shares(const std::vector<RootMount>& mounts,
                                                        const ShareContext& context) {
  std::vector<std::unique_ptr<Held>> held(mounts.size());
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const auto* share = mounts[i].share;
    if (share == nullptr || share->start == nullptr) continue;
    auto started = share->start(mounts[i], context);
    if (!started) return fail(std::move(started).error().within(std::string("--") + share->option->name));
    held[i] = std::move(*started);
  }
  return held;
}

bool has_network_of_host(const RunRequest& request) {
  return (request.share_network && bridge_of(request).empty()) || request.engine == EngineKind::chroot;
}

std::string bridge_of(const RunRequest& request) {
  // Only a container can have a network of its own that is connected to a bridge.
  const bool is_bridged = request.engine == EngineKind::lxc && request.share_network;
  return is_bridged ? request.lxc.bridge : "";
}

}  // namespace isolate
