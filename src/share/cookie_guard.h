// CookieGuard: lets a client of the guest connect to an X server only with the guest's own cookie. Without the guard, a
// server that accepts the caller's clients without any cookie, as xhost(1) can tell it to, would trust the guest's.
// Such a server also accepts and trusts a client whose cookie it does not know, such as that of an earlier server.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "share/relayed_flow.h"
#include "share/x_display.h"

namespace isolate {

class CookieGuard : public OpeningEditor {
 public:
  // `is_valid` says whether the server has known the cookie without a break until now. CookieGuard calls it after the
  // server has accepted a client, so that the answer covers the moment at which the server looked at the cookie.
  CookieGuard(XCookie cookie, std::function<bool()> is_valid)
      : cookie_(std::move(cookie)), is_valid_(std::move(is_valid)) {}
  Result<std::string> edit(std::string_view bytes) override;
  Result<std::string> see_answer(std::string_view bytes) override;
  bool awaits_answer() const override { return is_sent_ && !is_finished_; }
  bool is_finished() const override { return is_finished_; }

 private:
  XCookie cookie_;
  std::function<bool()> is_valid_;
  std::string held_;  // the beginning of the client's request for a connection, or what follows it
  bool is_sent_ = false;
  bool is_finished_ = false;
};

}  // namespace isolate
