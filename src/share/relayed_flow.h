// RelayedFlow: one direction of a connection that passes through a relay. It moves bytes and descriptors from one
// stream socket to another, and holds at most one portion that the receiver does not take yet.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// Changes what the guest sends at the beginning of a connection, and sees what the host answers meanwhile.
class OpeningEditor {
 public:
  OpeningEditor() = default;
  OpeningEditor(const OpeningEditor&) = delete;
  OpeningEditor& operator=(const OpeningEditor&) = delete;
  virtual ~OpeningEditor() = default;
  // Returns the bytes to send instead of `bytes`. It may hold some back until the next call, but only a bounded number.
  // Errors: the connection has to be closed.
  virtual Result<std::string> edit(std::string_view bytes) = 0;
  // Gets what the host sends, which the relay passes on unchanged. Returns bytes for the host that were held back until
  // this answer. Errors: the connection has to be closed.
  virtual Result<std::string> see_answer(std::string_view /*bytes*/) { return std::string(); }
  // The guest's next bytes stay where they are until the host has answered.
  virtual bool awaits_answer() const { return false; }
  virtual bool is_finished() const = 0;  // the rest of the connection passes unchanged
};

constexpr std::size_t kMostInMessage = 253;  // descriptors that the kernel passes with one message (SCM_MAX_FD)

// The descriptors in transit that all connections of a relay may hold together.
struct DescriptorBudget {
  std::size_t most = kMostInMessage;
  std::size_t used = 0;
  bool has_room() const { return used + kMostInMessage <= most; }
};

class RelayedFlow {
 public:
  using Portion = std::array<char, 65536>;

  // The sockets and the budget have to outlive this object. A null editor: everything passes unchanged.
  RelayedFlow(int from, int to, DescriptorBudget* budget, std::unique_ptr<OpeningEditor> editor = nullptr)
      : from_(from), to_(to), budget_(*budget), editor_(std::move(editor)) {}
  RelayedFlow(const RelayedFlow&) = delete;
  RelayedFlow& operator=(const RelayedFlow&) = delete;
  ~RelayedFlow() { drop_descriptors(); }

  // Names the flow in the other direction, whose editor sees what comes here.
  void answer(RelayedFlow* questions) { questions_ = questions; }

  bool wants_to_read() const { return state_ == State::open && unsent_.empty() && !is_starved_ && !awaits_answer(); }
  bool awaits_answer() const { return editor_ && editor_->awaits_answer(); }
  bool wants_to_write() const { return !unsent_.empty(); }
  // The sender has passed descriptors for which the budget has no room.
  bool is_starved() const { return is_starved_; }
  void retry() { is_starved_ = false; }
  bool is_finished() const { return state_ == State::finished; }

  // Sends what is left of the last portion, or receives the next one and sends it. Never waits. `scratch` may be
  // shared by all flows. Errors: the connection has to be closed, because something of it would be lost.
  Result<void> move(Portion* scratch);
  // The receiver takes nothing any more. The sender's next write fails.
  void stop();

 private:
  enum class State {
    open,
    ended,     // the sender has ended, and something is still unsent
    finished,  // everything is sent, or the receiver takes nothing
  };

  Result<std::string_view> receive(Portion* scratch);
  Result<std::string_view> receive_nothing(ssize_t count);
  Result<std::string_view> receive_with_descriptors(Portion* scratch, std::size_t most);
  Result<void> hand_on(std::string_view bytes);
  Result<void> see_answer(std::string_view bytes);
  Result<void> send(std::string_view bytes);
  void end();
  void drop_descriptors();

  int from_;
  int to_;
  DescriptorBudget& budget_;
  std::unique_ptr<OpeningEditor> editor_;
  RelayedFlow* questions_ = nullptr;
  State state_ = State::open;
  bool is_starved_ = false;
  std::string unsent_;
  std::vector<Fd> descriptors_;  // go along with the next byte
};

}  // namespace isolate
