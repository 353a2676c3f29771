// RemoteCaller: the run that has taken a warm guest. The isolate of the guest supervises the command for it: the run
// passes on the signals that it gets, and isolate stops and continues the run together with the command.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "linux/process_table.h"
#include "wire/warm_protocol.h"

namespace isolate {

class RemoteCaller {
 public:
  // `connection` leads to the run, see wire/warm_protocol.h.
  RemoteCaller(Fd connection, HeldProcess process, std::uint64_t blocked_signals, bool leads_session)
      : connection_(std::move(connection)),
        process_(std::move(process)),
        blocked_signals_(blocked_signals),
        leads_session_(leads_session) {}

  int fd() const { return connection_.get(); }
  std::uint64_t blocked_signals() const { return blocked_signals_; }  // by the caller of the run; bit N-1 is signal N
  bool leads_session() const { return leads_session_; }

  // Reads a signal, without waiting for one. Returns nothing if none has come, or if isolate does not pass it on.
  std::optional<warm_protocol::Signal> read();
  // Whether read() has seen that the run has ended.
  bool is_gone() const { return is_gone_; }
  // Stops the run, or continues it if stop() has stopped it.
  void stop();
  void go_on();
  // Continues the run and tells it its exit status, so that it ends.
  void end(int exit_status);

 private:
  Fd connection_;
  HeldProcess process_;
  std::uint64_t blocked_signals_;
  bool leads_session_;
  bool is_stopped_ = false;
  bool is_gone_ = false;
};

}  // namespace isolate
