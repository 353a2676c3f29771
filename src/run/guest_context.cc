#include "run/guest_context.h"

#include "pool/member_range.h"

namespace isolate {

ShareContext share_context(const RunRequest& request, const RunPlan& plan, const Caller& caller) {
  ShareContext context{request, caller, plan.clone_id, guest_is_caller(plan, caller), 0, 0};
  if (plan.ids.new_namespace) {
    context.root_uid = plan.ids.maps.uid.front().outside;
    context.root_gid = plan.ids.maps.gid.front().outside;
  }
  return context;
}

StreamOptions stream_options(const RunPlan& plan, const Caller& caller, bool ignore_interrupt) {
  StreamOptions options;
  // With --pty the guest's own terminal takes the place of all three streams. The run that takes a warm guest brings
  // its own streams.
  if (plan.own_terminal || plan.waits) options.is_needed = {false, false, false};
  options.is_boundary = plan.ids.new_namespace;
  options.ignore_interrupt = ignore_interrupt;
  options.guest_uids = plan.ids.maps.uid;
  // The caller's id is only in the namespace above the guest's.
  if (plan.ids.nested_private) options.guest_uids.erase(options.guest_uids.begin());
  if (caller.is_root() && options.is_boundary) {
    options.terminal_owner = TerminalOwner{plan.ids.maps.uid.front().outside, kFirstRange};
  }
  return options;
}

}  // namespace isolate
