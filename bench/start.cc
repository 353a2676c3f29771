// Measures start-up: a whole run of `isolate -z TEMPLATE /bin/true`, bare bwrap and the floor in one interleaved run.
// It measures a run of root if root calls it, otherwise one of an ordinary user.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdint>

#include "base/text.h"
#include "floor.h"
#include "harness.h"
#include "id_maps.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesBareBwrap = 1.5;
constexpr double kMostTimesBareBwrapNative = 0.65;
// CPU time of a run with the native engine, including the child that removes the clone after isolate has exited.
constexpr double kMostTimesBareBwrapCpu = 1;
constexpr double kMostMillisecondsWith = 3;    // how much the options of --with may cost
constexpr double kMostMillisecondsMore = 0.3;  // how much slower than the isolate of --before it may be

struct Setting {
  std::string isolate;
  std::string before;  // another build of isolate to compare with; empty: no comparison
  std::string with;    // options, separated by blanks, whose cost is measured; empty: none
  std::string store;
  std::string template_name;
  std::string root;
  std::string scratch;
  int runs = 0;
  bool ordinary_user = ::geteuid() != 0;
};

Result<Setting> read_setting(const Options& options) {
  Setting setting;
  setting.isolate = TRY(options.text("isolate"));
  setting.before = options.text_if_given("before");
  setting.with = options.text_if_given("with");
  setting.store = TRY(options.text("store"));
  setting.template_name = TRY(options.text("template"));
  setting.root = TRY(options.text("root"));
  setting.scratch = TRY(options.text("scratch"));
  setting.runs = TRY(options.count("runs"));
  return setting;
}

Case floor_case(std::string name, const Setting& setting, bool overlay, bool user_namespace) {
  const Floor floor{setting.root, setting.scratch, overlay, user_namespace};
  return {std::move(name), [floor] { return run_floor(floor); }};
}

std::vector<std::string> isolate_argv(const std::string& program, const Setting& setting,
                                      const std::string& engine = "bwrap") {
  return {program, "--store", setting.store, "-e", engine, "-z", setting.template_name, "/bin/true"};
}

Result<std::vector<Case>> id_map_cases(const Options& options) {
  const auto uid = static_cast<std::uint32_t>(TRY(options.count("first-subuid")));
  const auto gid = static_cast<std::uint32_t>(TRY(options.count("first-subgid")));
  const auto count = static_cast<std::uint32_t>(TRY(options.count("subid-count")));
  const auto one = [=](std::string name, MapHelpers which) -> Case {
    return {std::move(name), [=] { return run_map_helpers(which, uid, gid, count); }};
  };
  return std::vector<Case>{one("newuidmap alone", MapHelpers::newuidmap), one("newgidmap alone", MapHelpers::newgidmap),
                           one("newuidmap and newgidmap at once", MapHelpers::both_at_once)};
}

// Indexes of the rows that are compared.
constexpr std::size_t kIsolate = 0;
constexpr std::size_t kBareBwrap = 1;
constexpr std::size_t kFloorBind = 2;
constexpr std::size_t kFloorOverlay = 3;
constexpr std::size_t kNative = 4;
constexpr std::size_t kSingleId = 5;  // this row and the next one exist for an ordinary user only
constexpr std::size_t kBothMapHelpers = 8;

Result<std::vector<Case>> all_cases(const Options& options, const Setting& setting) {
  const bool user = setting.ordinary_user;
  std::vector<Case> cases = {
      command_case("isolate -z TEMPLATE /bin/true", isolate_argv(setting.isolate, setting)),
      bare_bwrap_case(setting.root),
      floor_case(user ? "floor: user namespace, bind" : "floor: bind", setting, false, user),
      floor_case(user ? "floor: user namespace, overlay" : "floor: overlay", setting, true, user),
      command_case("isolate -e native", isolate_argv(setting.isolate, setting, "native")),
  };
  if (user) {
    auto single = isolate_argv(setting.isolate, setting);
    single.insert(single.begin() + 1, "--userns=single");
    cases.push_back(command_case("isolate --userns=single", std::move(single)));
    for (Case& one : TRY(id_map_cases(options))) cases.push_back(std::move(one));
  } else {
    cases.push_back(floor_case("floor: user namespace, overlay", setting, true, true));
  }
  cases.push_back(command_case("/bin/true outside", {"/bin/true"}));
  // These come last, so that the indexes of the other rows are the same without them.
  if (!setting.with.empty()) {
    auto argv = isolate_argv(setting.isolate, setting);
    const auto words = text::split(setting.with, ' ');
    argv.insert(argv.begin() + 1, words.begin(), words.end());
    cases.push_back(command_case("isolate " + setting.with, std::move(argv)));
  }
  if (!setting.before.empty()) cases.push_back(command_case("isolate before", isolate_argv(setting.before, setting)));
  return cases;
}

// Subtracts the median of `part` from each sample of `whole`.
std::vector<double> less(const std::vector<double>& whole, const std::vector<double>& part) {
  std::vector<double> rest = whole;
  for (double& time : rest) time -= quantile(part, 0.5);
  return rest;
}

void print_result(const Setting& setting, const std::vector<Measured>& rows) {
  print_title(fmt::format("Start-up as {}: {} runs of each, shuffled into one",
                          setting.ordinary_user ? "an ordinary user" : "root", setting.runs));
  print_times(rows,
              {{"x bare bwrap", kBareBwrap}, {"x floor (bind)", kFloorBind}, {"x floor (overlay)", kFloorOverlay}});
  const auto& bwrap = rows[kBareBwrap].wall_ms;
  const auto& isolate = rows[kIsolate].wall_ms;
  print_aim("isolate / bare bwrap", ratio_of_medians(isolate, bwrap), kMostTimesBareBwrap);
  print_aim("isolate -e native / bare bwrap", ratio_of_medians(rows[kNative].wall_ms, bwrap),
            kMostTimesBareBwrapNative);
  print_aim("CPU time of isolate -e native / of bare bwrap",
            ratio_of_medians(rows[kNative].cpu_ms, rows[kBareBwrap].cpu_ms), kMostTimesBareBwrapCpu);
  if (!setting.with.empty()) {
    const auto& with = rows[rows.size() - (setting.before.empty() ? 1 : 2)].wall_ms;
    const double median = quantile(isolate, 0.5);
    print_aim(fmt::format("isolate {} / without (aim: {} ms more at most, here {:.1f})", setting.with,
                          kMostMillisecondsWith, quantile(with, 0.5) - median),
              ratio_of_medians(with, isolate), (median + kMostMillisecondsWith) / median);
  }
  if (!setting.before.empty()) {
    const auto& before = rows.back().wall_ms;
    const double median = quantile(before, 0.5);
    print_aim(fmt::format("isolate / before (aim: {} ms more at most)", kMostMillisecondsMore),
              ratio_of_medians(isolate, before), (median + kMostMillisecondsMore) / median);
  }
  if (!setting.ordinary_user) return;
  print_aim("isolate less newuidmap and newgidmap / bare bwrap",
            ratio_of_medians(less(isolate, rows[kBothMapHelpers].wall_ms), bwrap), kMostTimesBareBwrap);
  print_aim("isolate --userns=single / bare bwrap", ratio_of_medians(rows[kSingleId].wall_ms, bwrap),
            kMostTimesBareBwrap);
}

Result<void> run(const Options& options) {
  const Setting setting = TRY(read_setting(options));
  const auto cases = TRY(all_cases(options, setting));
  print_result(setting, TRY(measure(cases, setting.runs, options.for_google_benchmark())));
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv,
                                  {"isolate", "before", "with", "store", "template", "root", "scratch", "runs",
                                   "first-subuid", "first-subgid", "subid-count"},
                                  isolate::bench::run);
}
