#include "isolatectl/template_source.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/trace.h"
#include "isolatectl/interruption.h"
#include "linux/file.h"
#include "linux/process.h"
#include "linux/reporting_child.h"
#include "linux/user_namespace.h"

namespace isolate {
namespace {

constexpr std::string_view kDebianPrefix = "debian:";

// The last lines that a tool has written, and what they say about progress.
class ToolOutput {
 public:
  ToolOutput(Fd fd, Progress* progress) : fd_(std::move(fd)), progress_(progress) {}

  int fd() const { return fd_.get(); }

  bool read() {
    char buffer[4096];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
    if (got < 0) return errno == EINTR;
    partial_.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = partial_.find_first_of("\r\n")) != std::string::npos; partial_.erase(0, end + 1)) {
      take_line(partial_.substr(0, end));
    }
    return got > 0;
  }

  // What the tool complained of last: its error lines, or else its last line.
  std::string complaint() const { return error_.empty() ? last_ : error_; }

 private:
  void take_line(const std::string& line) {
    if (line.empty()) return;
    last_ = line;
    // Of many lines that one is the cause; tar also tells of it as a short write.
    if (line.find("No space left on device") != std::string::npos) error_ = line;
    if (error_.empty() && (line.starts_with("E: ") || line.starts_with("tar: "))) error_ = line;
    struct Phase {
      std::string_view words;
      unsigned percent;
    };
    // Where mmdebstrap is when it says so, measured on a small root.
    constexpr std::array<Phase, 7> kPhases = {{{"running apt-get update", 5},
                                               {"downloading packages", 15},
                                               {"extracting archives", 25},
                                               {"installing essential", 40},
                                               {"installing remaining", 65},
                                               {"cleaning package lists", 85},
                                               {"creating tarball", 90}}};
    for (const auto& phase : kPhases) {
      if (line.find(phase.words) != std::string::npos) progress_->show(phase.percent, phase.words);
    }
  }

  Fd fd_;
  Progress* progress_;
  std::string partial_;
  std::string last_;
  std::string error_;
};

std::vector<std::string> extract_command(const std::string& layer, const std::string& archive, bool keep_owners) {
  // /dev is made new for each run, and its nodes could not be made by an ordinary user.
  return {"tar",
          "--extract",
          "--directory",
          layer,
          "--file",
          archive,
          "--force-local",
          "--numeric-owner",
          "--same-permissions",
          keep_owners ? "--same-owner" : "--no-same-owner",
          "--xattrs",
          "--xattrs-include=security.capability",
          "--anchored",
          "--exclude=./dev/*",
          "--exclude=dev/*"};
}

std::vector<std::string> pack_command(const std::string& directory) {
  return {"tar",
          "--create",
          "--directory",
          directory,
          "--file",
          "-",
          "--numeric-owner",
          "--one-file-system",
          "--xattrs",
          "--xattrs-include=security.capability",
          "--anchored",
          "--exclude=./dev/*",
          "."};
}

bool is_installed(const std::string& program) {
  const char* path = ::getenv("PATH");
  const auto directories = text::split(path == nullptr ? "/usr/bin:/bin" : path, ':');
  return std::any_of(directories.begin(), directories.end(), [&program](const std::string& directory) {
    return ::access((directory + "/" + program).c_str(), X_OK) == 0;
  });
}

Result<void> run_tool(const std::string& name, const std::vector<std::string>& command, int in, int out,
                      Progress* progress) {
  if (!is_installed(name)) {
    return fail(name + " is not installed; install it (Debian: apt-get install " + name + ")");
  }
  auto errors = TRY(make_pipe("template"));
  // The tool ends when this process is killed; mmdebstrap undoes its work when it is told to end.
  auto child = TRY(spawn_tied(command, {in, out, errors.write.get()}, name == "mmdebstrap" ? SIGTERM : SIGKILL));
  errors.write.reset();
  ToolOutput output(std::move(errors.read), progress);
  const auto status = TRY(wait_interruptibly(&child, output.fd(), [&output] { return output.read(); }));
  TRY_VOID(Interruption::check());
  while (output.read()) {
  }
  if (status.success()) return {};
  const std::string prefix = output.complaint().starts_with(name + ": ") ? "" : name + ": ";
  return fail(text::printable(prefix + (output.complaint().empty() ? status.describe() : output.complaint())));
}

// Starts `work` in a child that is root in `user_namespace` (-1: as the caller).
Result<ReportingChild> start_as_owner(int user_namespace, const std::function<Result<void>()>& work) {
  return ReportingChild::start([&]() -> Result<void> {
    if (user_namespace >= 0) TRY_VOID(become_root_in(user_namespace));
    return work();
  });
}

// Waits for the child, which ends its tool when this process is interrupted.
Result<void> finish(ReportingChild* child) {
  const auto status = TRY(wait_interruptibly(&child->process(), -1, [] { return false; }));
  TRY_VOID(Interruption::check());
  TRY_VOID(child->report());
  if (!status.success()) return fail("unpacking ended with " + status.describe());
  return {};
}

// A program that writes an archive to its standard output.
struct Producer {
  std::string name;  // for messages
  std::vector<std::string> command;
  bool as_owner = false;  // in the namespace of the store's owner, where his ids are those inside
};

// Both ends of a pipe at work: the producer writes an archive, tar takes it apart as the owner of the store's files.
Result<void> pipe_into_layer(const Producer& producer, const std::string& layer, OwnerNamespace* owner,
                             Progress* progress) {
  auto archive = TRY(make_pipe("template"));
  const int user_namespace = TRY(owner->descriptor());
  const bool keep_owners = owner->caller().is_root() || owner->ids().has_range();
  auto consumer = TRY(start_as_owner(user_namespace, [&] {
    archive.write.reset();
    return run_tool("tar", extract_command(layer, "-", keep_owners), archive.read.get(), -1, progress);
  }));
  archive.read.reset();
  auto producing = TRY(start_as_owner(producer.as_owner ? user_namespace : -1, [&] {
    return run_tool(producer.name, producer.command, -1, archive.write.get(), progress);
  }));
  auto produced = finish(&producing);
  pollfd consumer_end{consumer.process().pidfd(), POLLIN, 0};
  const bool producer_ended_first = ::poll(&consumer_end, 1, 0) == 0;
  // The archive ends here and not with the producer: half an archive can't end the consumer before the line above.
  archive.write.reset();
  progress->show(95, "unpacking");
  auto consumed = finish(&consumer);
  // Whoever ended first knows why; the other has met a broken pipe or half an archive.
  if (!produced && (producer_ended_first || consumed)) return produced;
  return consumed;
}

}  // namespace

Result<TemplateSource> parse_template_source(const std::string& from) {
  TemplateSource source;
  source.description = from;
  if (from.starts_with(kDebianPrefix)) {
    source.debian.suite = from.substr(kDebianPrefix.size());
    return source;
  }
  char resolved[PATH_MAX];
  if (::realpath(from.c_str(), resolved) == nullptr) {
    return fail(
        Error(errno, "source " + text::printable(from)).advise("give debian:SUITE, a directory, or a tar archive"));
  }
  source.path = resolved;
  const auto status = TRY(status_of(AT_FDCWD, source.path));
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
    return fail("source " + from + " is neither a directory nor a file");
  source.kind = S_ISDIR(status.st_mode) ? TemplateSource::Kind::directory : TemplateSource::Kind::archive;
  return source;
}

Result<void> fill_layer(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress) {
  const bool is_root = owner->caller().is_root();
  switch (source.kind) {
    case TemplateSource::Kind::debian: {
      if (!is_root && !owner->ids().has_range()) return fail(advice_on_subids(owner->caller(), false));
      const auto command = TRY(mmdebstrap_command(source.debian, is_root));
      auto made = pipe_into_layer({"mmdebstrap", command, false}, layer, owner, progress);
      if (!made) return fail(std::move(made).error().within(source.description));
      break;
    }
    case TemplateSource::Kind::directory:
      progress->show(10, "copying " + source.path);
      TRY_VOID(pipe_into_layer({"tar", pack_command(source.path), true}, layer, owner, progress));
      break;
    case TemplateSource::Kind::archive: {
      progress->show(10, "unpacking " + source.path);
      const bool keep_owners = is_root || owner->ids().has_range();
      auto child = TRY(start_as_owner(TRY(owner->descriptor()), [&] {
        return run_tool("tar", extract_command(layer, source.path, keep_owners), -1, -1, progress);
      }));
      TRY_VOID(finish(&child));
      break;
    }
  }
  return owner->run([&]() -> Result<void> {
    if (TRY(list_directory(AT_FDCWD, layer)).empty()) return fail("source " + source.description + " holds no files");
    // The guest's own users have to pass "/".
    if (::chmod(layer.c_str(), 0755) != 0) return fail(errno, "chmod " + layer);
    return {};
  });
}

}  // namespace isolate
