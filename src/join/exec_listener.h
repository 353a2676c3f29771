// Where a run takes further commands for its guest (isolatectl exec): a socket in a directory that nobody but its user
// and root can reach. isolate checks who asks and what, and passes it on to isolate-init; what the guest answers goes
// past it, to who has asked.
#pragma once

#include <deque>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "supervise/further_commands.h"

namespace isolate {

struct RunsDirectory {
  Fd directory;
  std::string to_be_removed;  // its path, where it is not to stay without sockets; empty: it may
};
// The directory of such sockets: for root /run/isolate/runs; for others $XDG_RUNTIME_DIR/isolate, or where there is
// none that is theirs alone, `runs` in the store, or .isolate-runs in the home of who has no store. It is made if need
// be.
Result<RunsDirectory> open_runs_directory(const Caller& caller, const std::string& store);

// The names of sockets: CLONE.PID, of isolate. True if it is one of the clone's.
bool is_socket_of(std::string_view name, const std::string& clone_id);

class ExecListener : public FurtherCommands {
 public:
  // In the directory of the caller's. Errors: those of files.
  static Result<ExecListener> open_for(const Caller& caller, const std::string& store, const std::string& clone_id);
  // Errors: ENOENT the directory was removed meanwhile.
  static Result<ExecListener> open(RunsDirectory place, const std::string& clone_id);
  ExecListener(ExecListener&&) noexcept = default;
  ExecListener& operator=(ExecListener&&) = delete;
  ~ExecListener() override;

  // Removes the sockets of runs that were killed.
  void sweep() const;

  Sources sources() const override;
  void serve(const Sources& answered, int control) override;

 private:
  ExecListener(RunsDirectory place, Fd socket, std::string name)
      : place_(std::move(place)), socket_(std::move(socket)), name_(std::move(name)) {}
  void accept_one();

  RunsDirectory place_;
  Fd socket_;
  std::string name_;
  std::deque<Fd> waiting_;
};

}  // namespace isolate
