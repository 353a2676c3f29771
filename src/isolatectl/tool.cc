#include "isolatectl/tool.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"
#include "isolatectl/interruption.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

bool contains_one_of(const std::string& line, const std::vector<std::string_view>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&line](std::string_view word) { return line.find(word) != std::string::npos; });
}

// A message about an attribute or access list that tar could not restore. tar goes on after it, and its exit status is
// 0 unless something else fails.
bool is_loss_of_tar(const std::string& line) {
  static const std::vector<std::string_view> kLosses = {"Warning:", "Cannot set POSIX ACLs",
                                                        "extended attribute for file"};
  return contains_one_of(line, kLosses);
}

// A message after which tar goes on and nothing is lost.
bool is_notice_of_tar(const std::string& line) {
  static const std::vector<std::string_view> kNotices = {
      "Removing leading",  "Ignoring unknown", "implausibly old time stamp",        "in the future",
      "A lone zero block", "socket ignored",   "file is on a different filesystem", "Skipping to next header"};
  return contains_one_of(line, kNotices);
}

// A message at the end about errors that tar, or a program that it started, has reported before.
bool is_summary_of_tar(const std::string& line) {
  static const std::vector<std::string_view> kSummaries = {"Child returned status", "Error is not recoverable",
                                                           "Exiting with failure status"};
  return contains_one_of(line, kSummaries);
}

void show_phase(const std::string& line, Progress* progress) {
  struct Phase {
    std::string_view words;
    unsigned percent;
  };
  // Messages of mmdebstrap, and how much of the work is done when they appear. Measured on a small root.
  constexpr std::array<Phase, 7> kPhases = {{{"running apt-get update", 5},
                                             {"downloading packages", 15},
                                             {"extracting archives", 25},
                                             {"installing essential", 40},
                                             {"installing remaining", 65},
                                             {"cleaning package lists", 85},
                                             {"creating tarball", 90}}};
  for (const auto& phase : kPhases) {
    if (line.find(phase.words) != std::string::npos) progress->show(phase.percent, phase.words);
  }
}

// Reads a tool's standard error line by line, shows its progress and finds the message that explains a failure.
class ToolOutput {
 public:
  ToolOutput(Fd fd, Progress* progress) : fd_(std::move(fd)), progress_(progress) {}

  int fd() const { return fd_.get(); }
  const Complaint& complaint() const { return complaint_; }

  bool read() {
    char buffer[4096];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
    if (got < 0) return errno == EINTR;
    partial_.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = partial_.find_first_of("\r\n")) != std::string::npos; partial_.erase(0, end + 1)) {
      const auto line = partial_.substr(0, end);
      complaint_.add(line);
      show_phase(line, progress_);
    }
    return got > 0;
  }

 private:
  Fd fd_;
  Progress* progress_;
  std::string partial_;
  Complaint complaint_;
};

void report_warnings(const Complaint& complaint) {
  if (complaint.warnings() == 0) return;
  const auto others = complaint.warnings() - 1;
  log::warning(text::printable(complaint.first_warning()) +
               (others == 0 ? "" : fmt::format(", and {} more like this", others)));
}

}  // namespace

void Complaint::add(const std::string& line) {
  if (line.empty()) return;
  // A full disk causes many other messages, such as tar's about short writes. Prefer this one to all of them.
  if (line.find("No space left on device") != std::string::npos) error_ = line;
  const bool is_tar = line.starts_with("tar: ");
  if (is_tar && is_loss_of_tar(line)) {
    if (warnings_++ == 0) warning_ = line;
    return;
  }
  if (is_tar && is_notice_of_tar(line)) return;
  if (is_tar && is_summary_of_tar(line)) {
    if (last_.empty()) last_ = line;
    return;
  }
  last_ = line;
  if (error_.empty() && (is_tar || line.starts_with("E: "))) error_ = line;
}

bool is_installed(const std::string& program) {
  const char* path = ::getenv("PATH");
  const auto directories = text::split(path == nullptr ? "/usr/bin:/bin" : path, ':');
  return std::any_of(directories.begin(), directories.end(), [&program](const std::string& directory) {
    return ::access((directory + "/" + program).c_str(), X_OK) == 0;
  });
}

Result<void> require_program(const std::string& program) {
  if (is_installed(program)) return {};
  const auto package = program == "xz" ? "xz-utils" : program;
  return fail(program + " is not installed; install it (Debian: apt-get install " + package + ")");
}

Result<void> run_tool(const std::string& name, const std::vector<std::string>& command, int in, int out,
                      Progress* progress) {
  TRY_VOID(require_program(name));
  auto errors = TRY(make_pipe("template"));
  // The kernel sends the tool this signal if this process is killed. mmdebstrap cleans up when it gets SIGTERM; tar has
  // nothing to clean up.
  auto child = TRY(spawn_tied(command, {in, out, errors.write.get()}, name == "mmdebstrap" ? SIGTERM : SIGKILL));
  errors.write.reset();
  ToolOutput output(std::move(errors.read), progress);
  const auto status = TRY(wait_interruptibly(&child, output.fd(), [&output] { return output.read(); }));
  TRY_VOID(Interruption::check());
  while (output.read()) {
  }
  if (status.success()) {
    report_warnings(output.complaint());
    return {};
  }
  const auto cause = output.complaint().cause().empty() ? status.describe() : output.complaint().cause();
  return fail(text::printable((cause.starts_with(name + ": ") ? "" : name + ": ") + cause));
}

Result<ReportingChild> start_as_owner(int user_namespace, const std::function<Result<void>()>& work) {
  return ReportingChild::start([&]() -> Result<void> {
    if (user_namespace >= 0) TRY_VOID(become_root_in(user_namespace));
    return work();
  });
}

Result<void> finish(ReportingChild* child) {
  const auto status = TRY(wait_interruptibly(&child->process(), -1, [] { return false; }));
  TRY_VOID(Interruption::check());
  TRY_VOID(child->report());
  if (!status.success()) return fail("the process that fills the template ended with " + status.describe());
  return {};
}

}  // namespace isolate
