// ExecListener: receives further commands for the guest of a run (isolatectl exec), over a socket in a directory that
// only the run's user and root can enter. isolate checks client and request, and passes the request on to isolate-init.
// The guest answers the client directly.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "supervise/further_commands.h"

namespace isolate {

struct RunsDirectory {
  Fd directory;
  std::string path_to_remove;  // remove this directory when it has no sockets any more; empty: it stays
};
// Opens the directory for such sockets, and makes it if it is missing. For root, this is /run/isolate/runs. For others
// it is $XDG_RUNTIME_DIR/isolate if only they can enter that, otherwise `runs` in their store, and without a store
// .isolate-runs in their home.
Result<RunsDirectory> open_runs_directory(const Caller& caller, const std::string& store);
// Returns those of these directories that exist, the best one first, and makes nothing. There may be several: the
// caller had no store when a run began, and has one now.
std::vector<RunsDirectory> find_runs_directories(const Caller& caller, const std::string& store);

// Whether `name` is that of a socket for this clone: CLONE.PID, with the pid of isolate.
bool is_socket_of(std::string_view name, const std::string& clone_id);

// The name of the socket on which isolate offers a warm guest, in a directory for guests of one kind.
constexpr std::string_view kWarmDirectories = "warm-";
std::string warm_socket_name(const std::string& clone_id, pid_t pid);

// Removes the sockets of both forms from the directory whose processes were killed.
void remove_dead_sockets(const Fd& directory);

class ExecListener : public FurtherCommands {
 public:
  // Listens in the caller's directory.
  static Result<ExecListener> open_for(const Caller& caller, const std::string& store, const std::string& clone_id);
  // Listens in `place`. Errors: ENOENT another run has removed the directory.
  static Result<ExecListener> open(RunsDirectory place, const std::string& clone_id);
  ExecListener(ExecListener&&) noexcept = default;
  ExecListener& operator=(ExecListener&&) = delete;
  ~ExecListener() override;

  // Removes the sockets that killed runs have left.
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
