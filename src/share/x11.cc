// An X11 display (-1, --x11): its socket, DISPLAY, and a cookie.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "linux/file.h"
#include "share/guest_files.h"
#include "share/share.h"
#include "share/x_display.h"

namespace isolate {
namespace {

constexpr const char* kCookieFile = "Xauthority";
constexpr const char* kSocketDirectory = ".X11-unix";

constexpr const char* kTrusted = "trusted";

Result<void> check_mode(const std::string& value) {
  if (value.empty() || value == kTrusted) return {};
  return fail(fmt::format("x11: '{}' is not trusted", text::printable(value)));
}

Result<SharePlan> look_up(const RunRequest& /*request*/, const Caller& caller,
                          const std::vector<std::string>& /*wishes*/) {
  const auto connection = TRY(connect_to_display(caller));
  const auto& display = connection.display;
  TRY_VOID(check_access(connection, cookie_for(display)));
  RootMount mount;
  mount.target = fmt::format("/tmp/{}/X{}", kSocketDirectory, display.number);
  mount.source = display.socket;
  SharePlan plan;
  plan.mounts.push_back(std::move(mount));
  plan.environment = {fmt::format("DISPLAY=:{}", display.number),
                      fmt::format("XAUTHORITY={}/{}", kRuntimeDirectory, kCookieFile), kRuntimeVariable};
  return plan;
}

class TrustedDisplay : public Held {
 public:
  TrustedDisplay(unsigned number, XCookie cookie) : number_(number), cookie_(std::move(cookie)) {}

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    return root->open_bind(mount, number);
  }

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t number) override {
    const auto directory = TRY(directory_in_tmp(*root, kSocketDirectory, 01777));
    TRY_VOID(attach_socket(TRY(root->opened(number)), directory, fmt::format("X{}", number_)));
    const auto runtime = TRY(runtime_directory(*root));
    const auto content = cookie_.bytes.empty() ? std::string() : TRY(authority_file(number_, cookie_));
    return write_private_file(*root, runtime, kCookieFile, content);
  }

 private:
  unsigned number_;
  XCookie cookie_;
};

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& /*context*/) {
  const auto name = mount.target.substr(mount.target.rfind('X') + 1);
  const auto number = static_cast<unsigned>(TRY(text::number(name, "display", 0, UINT16_MAX)));
  return std::make_unique<TrustedDisplay>(number, cookie_for({number, mount.source}));
}

std::string describe_display(const RootMount& mount) {
  return fmt::format("X11 display: {} on {}", text::printable(mount.source), mount.target);
}

constexpr ShareOption kOption = {'1', "x11", "trusted", false, false, "show windows on your X11 display", check_mode};

}  // namespace

const Share kX11 = {
    .name = "x11", .describe = describe_display, .option = &kOption, .look_up = look_up, .start = start};

}  // namespace isolate
