// Measures the private memory of the processes of a run while its command runs.
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "command.h"
#include "linux/file.h"
#include "linux/process.h"
#include "options.h"
#include "process_tree.h"
#include "report.h"

namespace isolate::bench {
namespace {

constexpr double kMostDirtyKib = 600e3 / 1024;
constexpr int kStartTimeoutMilliseconds = 20000;
constexpr useconds_t kRestMicroseconds = 50'000;
constexpr const char* kCommand = "cat";

// A run whose command is cat. A byte that comes back shows that the command runs. The command ends when its input ends,
// so nothing stays behind even if this program is killed.
struct RunningCat {
  ChildProcess process;
  Fd to_cat;
  Fd from_cat;
};

Result<RunningCat> start_cat(const std::vector<std::string>& argv) {
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  SpawnFds fds;
  fds.in = in.read_end.get();
  fds.out = out.write_end.get();
  auto process = TRY(spawn(argv, fds));
  return RunningCat{std::move(process), std::move(in.write_end), std::move(out.read_end)};
}

Result<void> wait_for_echo(const RunningCat& run) {
  TRY_VOID(write_all(run.to_cat.get(), "x", "the command's input"));
  pollfd answer{run.from_cat.get(), POLLIN, 0};
  const int ready = ::poll(&answer, 1, kStartTimeoutMilliseconds);
  char byte = 0;
  if (ready != 1 || ::read(run.from_cat.get(), &byte, 1) != 1) return fail("the command did not start");
  return {};
}

Result<std::vector<ProcessInfo>> tree_of_one_run(const std::vector<std::string>& argv) {
  RunningCat run = TRY(start_cat(argv));
  TRY_VOID(wait_for_echo(run));
  // isolate still has work to do after the command has started, so give it time for that.
  ::usleep(kRestMicroseconds);
  auto tree = TRY(process_tree(run.process.pid()));
  run.to_cat.reset();
  const ExitStatus status = TRY(run.process.wait());
  if (!status.success()) return fail(text::join(argv, " ") + ": " + status.describe());
  return tree;
}

struct Row {
  std::string name;
  std::vector<double> private_kib;
  std::vector<double> dirty_kib;
};

// Adds a run to the rows. Rows have the order of the first run: the program itself, then its helpers. Processes with
// equal names are numbered.
void add_run(const std::vector<ProcessInfo>& tree, std::vector<Row>* rows) {
  std::vector<std::string> seen;
  for (const ProcessInfo& process : tree) {
    if (process.name == kCommand) continue;
    seen.push_back(process.name);
    const auto nth = std::count(seen.begin(), seen.end(), process.name);
    const std::string name = nth == 1 ? process.name : fmt::format("{} ({})", process.name, nth);
    auto row = std::find_if(rows->begin(), rows->end(), [&](const Row& known) { return known.name == name; });
    if (row == rows->end()) row = rows->insert(rows->end(), Row{name, {}, {}});
    row->private_kib.push_back(static_cast<double>(process.private_kib));
    row->dirty_kib.push_back(static_cast<double>(process.dirty_kib));
  }
}

void print_rows(const std::vector<Row>& rows) {
  fmt::print("  {:<28}  {:>10}  {:>18}  {:>10}\n", "", "median KiB", "least .. most", "dirty KiB");
  for (const Row& row : rows) {
    fmt::print("  {:<28}  {:>10.0f}  {:>7.0f} .. {:>7.0f}  {:>10.0f}\n", row.name, quantile(row.private_kib, 0.5),
               quantile(row.private_kib, 0), quantile(row.private_kib, 1), quantile(row.dirty_kib, 0.5));
  }
}

void print_verdict(const std::vector<Row>& rows) {
  const double most = quantile(rows.front().dirty_kib, 1);
  double helpers = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) helpers += quantile(rows[i].private_kib, 0.5);
  fmt::print("  {} helpers together (sum of medians): {:.0f} KiB\n", rows.size() - 1, helpers);
  fmt::print(
      "  aim: anonymous and dirty memory of isolate itself under {:.0f} KiB (600 KB): most seen {:.0f} KiB, {}\n",
      kMostDirtyKib, most, most < kMostDirtyKib ? "reached" : "MISSED");
}

Result<void> run(const Options& options) {
  std::vector<std::string> argv = text::split(TRY(options.text("command")), ' ');
  const auto name_of_template = TRY(options.text("template"));
  argv.insert(argv.end(), {"-e", "bwrap", "-z", name_of_template, "/bin/cat"});
  const int runs = TRY(options.count("runs"));
  std::vector<Row> rows;
  for (int i = 0; i < runs; ++i) add_run(TRY(tree_of_one_run(argv)), &rows);
  print_title(fmt::format("Private memory while a command runs, as {}: {} runs", TRY(options.text("who")), runs));
  print_rows(rows);
  print_verdict(rows);
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"command", "template", "who", "runs"}, isolate::bench::run);
}
