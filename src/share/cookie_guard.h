// CookieGuard: lets a client of the guest connect to an X server only with the guest's own cookie. Without the guard, a
// server that accepts the caller's clients without any cookie, as xhost(1) can tell it to, would trust the guest's.
#pragma once

#include <string>
#include <string_view>

#include "share/relayed_flow.h"
#include "share/x_display.h"

namespace isolate {

class CookieGuard : public OpeningEditor {
 public:
  explicit CookieGuard(XCookie cookie) : cookie_(std::move(cookie)) {}
  Result<std::string> edit(std::string_view bytes) override;
  std::string see_answer(std::string_view /*bytes*/) override { return {}; }
  bool awaits_answer() const override { return false; }
  bool is_finished() const override { return is_finished_; }

 private:
  XCookie cookie_;
  std::string held_;  // the beginning of the client's request for a connection
  bool is_finished_ = false;
};

}  // namespace isolate
