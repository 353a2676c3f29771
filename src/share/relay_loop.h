// RelayLoop: accepts connections on one socket, connects each to another socket, and moves what both ends send. All of
// it happens in one process that waits with epoll.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "base/result.h"
#include "share/relayed_flow.h"

namespace isolate {

struct RelayLimits {
  // Further connections wait in the listening socket's queue until one ends. When the queue is full as well, connect(2)
  // waits, or fails with EAGAIN if the socket is non-blocking.
  std::size_t connections = 256;
  std::size_t descriptors = kMostInMessage;  // those in transit
};

using MakeEditor = std::function<std::unique_ptr<OpeningEditor>()>;
using TrustsHost = std::function<bool(int connection)>;

class RelayLoop {
 public:
  // `control` becomes readable when the loop should end. A null `make_editor`: the relay changes nothing. A null
  // `trusts_host`: the relay trusts every server that listens at the target.
  RelayLoop(Fd listening, std::string target, int control, const RelayLimits& limits, MakeEditor make_editor,
            TrustsHost trusts_host)
      : listening_(std::move(listening)),
        target_(std::move(target)),
        control_(control),
        limits_(limits),
        budget_{limits.descriptors, 0},
        make_editor_(std::move(make_editor)),
        trusts_host_(std::move(trusts_host)) {}

  // Returns after the control socket has become readable and all connections are closed. Delivers what clients that
  // have ended sent before.
  Result<void> run();

 private:
  struct End {
    Fd socket;
    bool is_hung_up = false;  // nothing can be sent to it any more
    bool is_registered = false;
    std::uint32_t events = 0;
  };
  // flows[i] goes from ends[i] to the other end. The guest has end 0.
  struct Connection {
    Connection(Fd guest, Fd host, DescriptorBudget* budget, std::unique_ptr<OpeningEditor> editor)
        : ends{End{std::move(guest)}, End{std::move(host)}},
          flows{RelayedFlow(ends[0].socket.get(), ends[1].socket.get(), budget, std::move(editor)),
                RelayedFlow(ends[1].socket.get(), ends[0].socket.get(), budget)} {
      flows[1].answer(&flows[0]);
    }
    std::array<End, 2> ends;
    std::array<RelayedFlow, 2> flows;
  };
  using Clock = std::chrono::steady_clock;

  Result<void> handle(std::uint64_t key, std::uint32_t events);
  void handle_connection(std::uint64_t id, std::size_t side, std::uint32_t events);
  void accept_one();
  void add(Fd guest, Fd host);
  void close(std::uint64_t id);
  void feed_starved();
  Result<void> listen_or_not();
  void update(std::uint64_t id);
  Result<void> register_end(Connection* connection, std::size_t side, std::uint64_t key) const;
  Result<void> control_epoll(int operation, int fd, std::uint32_t events, std::uint64_t key) const;
  void pause();
  bool is_paused() const { return Clock::now() < paused_until_; }
  int timeout() const;
  bool is_over() const;

  Fd epoll_;
  Fd listening_;
  std::string target_;
  int control_;
  RelayLimits limits_;
  DescriptorBudget budget_;
  MakeEditor make_editor_;
  TrustsHost trusts_host_;
  bool is_ending_ = false;
  std::uint32_t listening_events_ = 0;
  Fd waiting_;                        // a client that is accepted, but can't be connected yet
  Clock::time_point paused_until_{};  // the host's socket or the system has no room for a connection until then
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::set<std::uint64_t> starved_;
  RelayedFlow::Portion scratch_;
};

}  // namespace isolate
