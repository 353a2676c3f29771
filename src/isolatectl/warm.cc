#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

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

// The template of the guests, and how its newest generation is found.
struct Source {
  std::string reference;  // for isolate -z
  std::function<Result<std::uint64_t>()> generation;
  std::chrono::seconds interval;  // between two looks
};

Result<Source> source_in_own_store(Context& context, const std::string& name) {
  const auto place = std::make_shared<TemplatePlace>(TRY(context.find(name)));
  // A generation of ZFS may have to be looked up by a program, so not each second.
  const bool takes_long = place->store->kind() == "zfs";
  return Source{
      context.reference(*place, name),
      [place]() -> Result<std::uint64_t> { return TRY(place->store->generation_for_runs(place->name)).number; },
      std::chrono::seconds(takes_long ? 10 : 0)};
}

// From where a run of the caller gets the template's clones.
Result<Source> find_source(Context& context, const std::string& name) {
  RunRequest request;
  request.template_name = name;
  if (!context.asks_daemon() || !TRY(DaemonLease::is_wanted(request, &context.owner()))) {
    return source_in_own_store(context, name);
  }
  auto known = TRY(DaemonLease::newest_generation(request, context.owner().caller()));
  const auto generation = [name, known]() mutable -> Result<std::uint64_t> {
    const auto newest = wire::leased_generation(name);
    if (!newest && newest.error().refusal == wire::Refusal::no_such_template) return fail(newest.error().message);
    // A daemon that is restarted just now has lost nothing.
    known = newest.value_or(known);
    return known;
  };
  return Source{name, generation, std::chrono::seconds(5)};
}

std::vector<std::string> command_line(const Context& context, const std::string& isolate, const Source& source,
                                      const WarmOptions& options) {
  std::vector<std::string> words = {isolate, "--hold", "--status-fd", "1", "-z", source.reference};
  if (!context.store_option().empty()) words.insert(words.end(), {"--store", context.store_option()});
  words.insert(words.end(), options.options.begin(), options.options.end());
  return words;
}

bool is_short_of_memory() {
  const auto memory = machine_memory();
  return memory && memory->is_short();
}

}  // namespace

Result<void> keep_warm(Context& context, const WarmOptions& options) {
  const auto isolate = TRY(find_own_program("isolate"));
  const auto source = TRY(find_source(context, options.template_name));
  Interruption::catch_signals();
  auto keeper = TRY(WarmKeeper::make({command_line(context, isolate, source, options), options.size, source.generation,
                                      source.interval, is_short_of_memory}));
  return keeper.run([&] {
    log::info(fmt::format("{} warm {} of template {} ready; Ctrl-C ends {}", options.size,
                          options.size == 1 ? "guest" : "guests", options.template_name,
                          options.size == 1 ? "it" : "them"));
  });
}

}  // namespace isolate
