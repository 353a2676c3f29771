#include <fmt/format.h>

#include <chrono>
#include <cstdint>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/interruption.h"
#include "isolatectl/warm_keeper.h"
#include "linux/own_program.h"

namespace isolate {
namespace {

// A generation of ZFS may have to be looked up by a program, so not each second.
std::chrono::seconds interval_of(const Store& store) { return std::chrono::seconds(store.kind() == "zfs" ? 10 : 0); }

std::vector<std::string> command_line(const Context& context, const std::string& isolate, const TemplatePlace& place,
                                      const WarmOptions& options) {
  std::vector<std::string> words = {isolate, "--hold", "--status-fd", "1"};
  words.insert(words.end(), {"-z", context.reference(place, options.template_name)});
  if (!context.store_option().empty()) words.insert(words.end(), {"--store", context.store_option()});
  words.insert(words.end(), options.options.begin(), options.options.end());
  return words;
}

}  // namespace

Result<void> keep_warm(Context& context, const WarmOptions& options) {
  const auto isolate = TRY(find_own_program("isolate"));
  auto place = TRY(context.find(options.template_name));
  const auto generation = [&]() -> Result<std::uint64_t> {
    return TRY(place.store->generation_for_runs(place.name)).number;
  };
  Interruption::catch_signals();
  auto keeper = TRY(WarmKeeper::make(command_line(context, isolate, place, options), options.size, generation,
                                     interval_of(*place.store)));
  return keeper.run([&] {
    log::info(fmt::format("{} warm {} of template {} ready; Ctrl-C ends {}", options.size,
                          options.size == 1 ? "guest" : "guests", options.template_name,
                          options.size == 1 ? "it" : "them"));
  });
}

}  // namespace isolate
