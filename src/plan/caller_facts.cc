#include "plan/caller_facts.h"

#include <fcntl.h>

#include <cstdlib>

#include "engine/engine.h"
#include "linux/file.h"
#include "linux/keys.h"
#include "linux/machine_settings.h"
#include "linux/terminal.h"
#include "plan/filters.h"
#include "request/guest_rights.h"
#include "request/store_path.h"

namespace isolate {
namespace {

Result<std::string> find_engine(EngineKind engine) {
  if (engine == EngineKind::bwrap) return find_bwrap();
  if (engine == EngineKind::lxc) TRY_VOID(check_lxc());
  return std::string();
}

Result<void> find_filters(const RunRequest& request, CallerFacts* facts) {
  facts->seccomp = seccomp_choice(request);
  // An ordinary user's cache is in their store and not in ~/.cache. Users may bind ~/.cache for a guest, which could
  // then change the filters of later runs. A user without a home has no cache, so each run compiles the filters that
  // are not built in.
  const bool is_root = facts->caller.is_root();
  const auto cache = is_root ? "/run/isolate" : store_path(request.store, facts->caller).value_or("/nonexistent");
  // Only root may enter the cache, but guests have to reach the stage, which is in the directory above the cache. So
  // make that directory first, with a mode that lets everybody in.
  if (is_root) TRY_VOID(make_directories(cache, 0755));
  facts->filters = TRY(plan_filters(facts->seccomp, planned_capabilities(request), cache + "/seccomp"));
  if (request.engine == EngineKind::lxc) {
    facts->system_filters = TRY(plan_filters(facts->seccomp, lxc_system_capabilities(), cache + "/seccomp"));
  }
  return {};
}

}  // namespace

Result<CallerFacts> look_up_facts(const RunRequest& request, const Caller& caller, mode_t umask) {
  CallerFacts facts;
  facts.caller = caller;
  facts.hard_limits = HardLimits::of_this_process();
  facts.signals = signals_of_caller();
  facts.umask = umask;
  facts.standard_terminals = count_standard_terminals();
  if (const char* term = std::getenv("TERM")) facts.term = term;
  facts.key_files = key_files();
  if (const auto proc = open_file(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY))
    facts.may_change_machine = may_change_machine(proc->get());
  facts.engine_program = TRY(find_engine(request.engine));
  TRY_VOID(find_filters(request, &facts));
  facts.shares = TRY(look_up_shares(request, caller));
  return facts;
}

}  // namespace isolate
