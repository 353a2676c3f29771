// Compares the lxc engine with LXC's own programs on the same roots. Each group of cases is one interleaved run.
#include <fmt/core.h>

#include <algorithm>

#include "harness.h"
#include "options.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostTimesLxc = 1.3;

struct Setting {
  std::string isolate;
  std::string store;
  std::string work;  // a directory with a root and an LXC configuration for each template, and room for LXC's state
  int runs = 0;
};

Result<Setting> read_setting(const Options& options) {
  Setting setting;
  setting.isolate = TRY(options.text("isolate"));
  setting.store = TRY(options.text("store"));
  setting.work = TRY(options.text("work"));
  setting.runs = TRY(options.count("runs"));
  return setting;
}

Case isolate_case(const Setting& setting, const std::string& engine, const std::string& template_name) {
  const std::vector<std::string> argv = {setting.isolate, "-q", "--store",     setting.store, "-e",
                                         engine,          "-z", template_name, "/bin/true"};
  return {"isolate -e " + engine, [argv] { return run_timed(argv); }};
}

Case execute_case(const Setting& setting, std::string name, const std::string& root) {
  const std::vector<std::string> argv = {
      "lxc-execute", "-P",       setting.work + "/lxc", "-n", "bench", "-f", setting.work + "/" + root + ".conf",
      "--",          "/bin/true"};
  return {std::move(name), [argv] { return run_timed(argv); }};
}

// A shell script that calls lxc-start, runs the lines `between`, and calls lxc-attach and lxc-stop. The lines can call
// the function lxc_attach.
Case sequence_case(const Setting& setting, std::string name, const std::string& root, const std::string& between) {
  const std::string place = "-P " + setting.work + "/lxc -n bench";
  const std::string script = fmt::format(
      "set -e\n"
      "lxc_attach() {{ lxc-attach {0} -- \"$@\"; }}\n"
      "lxc-start {0} -f {1}/{2}.conf\n"
      "{3}\n"
      "lxc_attach /bin/true\n"
      "lxc-stop {0} -k\n",
      place, setting.work, root, between);
  return {std::move(name), [script] { return run_timed({"/bin/sh", "-c", script}); }};
}

// The aim is about the ratio of the first two cases.
Result<void> measure_group(const std::string& title, const std::vector<Case>& cases, int runs, const Options& options) {
  const auto rows = TRY(measure(cases, runs, options.for_google_benchmark()));
  print_title(fmt::format("{}: {} runs of each, shuffled into one", title, runs));
  print_times(rows, {{"x " + rows[1].name, 1}});
  print_aim(fmt::format("{} / {}", rows[0].name, rows[1].name), ratio_of_medians(rows[0].wall_ms, rows[1].wall_ms),
            kMostTimesLxc);
  return {};
}

Result<void> run(const Options& options) {
  const Setting setting = TRY(read_setting(options));
  TRY_VOID(measure_group(
      "A command alone",
      {isolate_case(setting, "lxc", "shifted"), execute_case(setting, "lxc-execute", "shifted"),
       execute_case(setting, "lxc-execute, no user namespace", "plain"), isolate_case(setting, "bwrap", "shifted")},
      setting.runs, options));
  TRY_VOID(measure_group(
      "A command beside an init",
      {isolate_case(setting, "lxc", "init"), sequence_case(setting, "lxc-start, -attach, -stop", "init", "")},
      setting.runs, options));
  // lxc-start returns before the system has booted, and a command that is attached at once finds no running system.
  const std::string is_up =
      "for i in $(seq 1000); do case $(lxc_attach systemctl is-system-running --wait 2>&1) in\n"
      "  running | degraded) break ;; esac; done";
  constexpr int kPart = 5;
  return measure_group("A command beside a systemd that is up",
                       {isolate_case(setting, "lxc", "system"),
                        sequence_case(setting, "lxc-start, wait, -attach, -stop", "system", is_up),
                        sequence_case(setting, "lxc-start, -attach, -stop", "system", "")},
                       std::max(1, setting.runs / kPart), options);
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"isolate", "store", "work", "runs"}, isolate::bench::run);
}
