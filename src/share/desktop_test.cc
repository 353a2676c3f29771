#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing.h"
#include "share/share.h"

namespace isolate {
namespace {

using test::ScopedVariable;

class DesktopTest : public ::testing::Test {
 protected:
  DesktopTest() { request_.shares = {{"desktop", "", false}}; }

  // The wishes that the preset adds, "?" behind those that are optional.
  std::vector<std::string> added() {
    const auto before = request_.shares.size();
    expand_presets(&request_);
    std::vector<std::string> names;
    for (std::size_t i = before; i < request_.shares.size(); ++i) {
      names.push_back(request_.shares[i].option + (request_.shares[i].is_optional ? "?" : ""));
    }
    return names;
  }
  static bool has(const std::vector<std::string>& names, const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  RunRequest request_;
};

TEST_F(DesktopTest, WithoutADisplayTheWishForOneIsNotOptional) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", nullptr);
  const ScopedVariable display("DISPLAY", nullptr);
  const auto names = added();
  EXPECT_TRUE(has(names, "x11"));
  EXPECT_TRUE(has(names, "home"));
  EXPECT_TRUE(has(names, "gpu?"));
}

TEST_F(DesktopTest, AWaylandSessionNeedsNoX11) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", "wayland-0");
  {
    const ScopedVariable display("DISPLAY", nullptr);
    const auto names = added();
    EXPECT_FALSE(has(names, "x11") || has(names, "x11?"));
  }
  request_.shares.resize(1);
  const ScopedVariable display("DISPLAY", ":0");
  EXPECT_TRUE(has(added(), "x11?"));
}

TEST_F(DesktopTest, WhatTheUserAskedForStays) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", nullptr);
  request_.shares.push_back({"x11", "untrusted", false});
  request_.shares.push_back({"home", "/srv/home", false});
  const auto names = added();
  EXPECT_FALSE(has(names, "x11") || has(names, "home"));
  EXPECT_EQ(request_.shares[1].value, "untrusted");
}

TEST_F(DesktopTest, AddsNoDisplayToOneThatTheUserNames) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", "wayland-0");
  const ScopedVariable display("DISPLAY", ":0");
  request_.shares.push_back({"x11", "nested", false});
  auto names = added();
  EXPECT_FALSE(has(names, "wayland"));
  EXPECT_TRUE(has(names, "pulse?"));
  request_.shares = {{"desktop", "", false}, {"wayland", "", false}};
  names = added();
  EXPECT_FALSE(has(names, "x11") || has(names, "x11?"));
}

TEST_F(DesktopTest, LeavesOutWhatASettingDeclines) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", nullptr);
  request_.declined = {"pulse", "home"};
  const auto names = added();
  EXPECT_FALSE(has(names, "pulse?") || has(names, "home"));
  EXPECT_TRUE(has(names, "gpu?"));
}

TEST_F(DesktopTest, NeedsX11IfASettingDeclinesWayland) {
  const ScopedVariable wayland("WAYLAND_DISPLAY", "wayland-0");
  const ScopedVariable display("DISPLAY", nullptr);
  request_.declined = {"wayland"};
  EXPECT_TRUE(has(added(), "x11"));
}

TEST_F(DesktopTest, OtherRequestsGetNothing) {
  request_.shares.clear();
  EXPECT_TRUE(added().empty());
}

}  // namespace
}  // namespace isolate
