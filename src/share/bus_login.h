// How a guest's programs log in to a message bus of the host.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "base/result.h"
#include "linux/caller.h"
#include "share/bus_address.h"
#include "share/relayed_flow.h"

namespace isolate {

// Logs in to the bus at that socket, and disconnects. Errors: plain text: no bus listens there, a session bus belongs
// to a user whom is_trusted() rejects, the bus refuses the caller, or it does not answer.
Result<void> check_login(BusKind bus, const std::string& socket, const Caller& caller);

// Replaces the user id with which a client logs in. The bus compares it with the id of the process that connects, which
// is the relay, while the client sends its id inside the guest. Changes only lines "AUTH EXTERNAL ID" (D-Bus
// specification, "Authentication Protocol"), and nothing after the line BEGIN. Holds that line back until every line
// before it is answered: some clients send all of them at once, which xdg-dbus-proxy before 0.1.5 does not understand.
class LoginEditor : public OpeningEditor {
 public:
  explicit LoginEditor(uid_t uid) : uid_(uid) {}
  Result<std::string> edit(std::string_view bytes) override;
  Result<std::string> see_answer(std::string_view bytes) override;
  bool awaits_answer() const override { return has_begun_ && !is_finished(); }
  bool is_finished() const override { return has_begun_ && answered_ >= sent_; }

 private:
  std::string edited(const std::string& line);
  uid_t uid_;
  std::string held_;  // a line that is not complete yet, or BEGIN and what follows
  bool is_first_ = true;
  bool has_begun_ = false;
  std::size_t sent_ = 0;      // lines
  std::size_t answered_ = 0;  // of these lines
};

}  // namespace isolate
