#include "supervise/status_stream.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "linux/file.h"

namespace isolate {
namespace {

void write_line(const Fd& fd, const nlohmann::json& object) {
  if (!fd) return;
  const auto line = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // This fails if the reader has gone away, which must not end the run.
  [[maybe_unused]] auto written = write_all(fd.get(), line, "status");
}

Result<void> check(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return {};
  return fail("--status-fd " + std::to_string(descriptor) + ": not a descriptor that is open for writing");
}

}  // namespace

Result<StatusStream> StatusStream::open(int number) {
  StatusStream stream;
  if (number < 0) return stream;
  TRY_VOID(check(number));
  stream.fd_ = Fd(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (!stream.fd_) return fail(errno, "dup of --status-fd");
  return stream;
}

Result<StatusStream> StatusStream::take(Fd descriptor) {
  StatusStream stream;
  if (!descriptor) return stream;
  TRY_VOID(check(descriptor.get()));
  stream.fd_ = std::move(descriptor);
  return stream;
}

void StatusStream::report_start(int pid, const std::string& clone_id, bool is_warm) const {
  write_line(fd_, {{"event", "started"}, {"pid", pid}, {"clone", clone_id}, {"warm", is_warm}});
}

void StatusStream::report_ready(const std::string& clone_id) const {
  write_line(fd_, {{"event", "ready"}, {"clone", clone_id}});
}

void StatusStream::report_taken(const std::string& clone_id) const {
  write_line(fd_, {{"event", "taken"}, {"clone", clone_id}});
}

void StatusStream::report_end(const ExitStatus& status, bool timed_out, bool out_of_memory) const {
  nlohmann::json line = {{"event", "ended"}, {status.signalled ? "signal" : "code", status.value}};
  if (timed_out) line["timeout"] = true;
  if (out_of_memory) line["outOfMemory"] = true;
  write_line(fd_, line);
}

void StatusStream::report_failure(const std::string& step, const std::string& reason) const {
  write_line(fd_, {{"event", "failed"}, {"step", step}, {"reason", reason}});
}

}  // namespace isolate
