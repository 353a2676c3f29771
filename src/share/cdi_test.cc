#include "share/cdi.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

constexpr const char* kYaml = R"(---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/nvidia0
  - name: all
    containerEdits:
      deviceNodes:
        - path: /dev/nvidia0
        - path: /dev/nvidia1
          hostPath: /dev/nvidia7
containerEdits:
  env:
    - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
    - path: /dev/nvidiactl
  mounts:
    - hostPath: /usr/lib/libcuda.so.550
      containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550
      options: [ro, nosuid, nodev, bind]
  hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, create-symlinks, --link, "libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so", "--link=a::/b"]
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib/x86_64-linux-gnu]
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, enable-cuda-compat]
)";

TEST(CdiTest, TheDeviceAllStandsForTheOthers) {
  const auto parsed = parse_cdi(kYaml);
  ASSERT_TRUE(parsed && *parsed);
  const auto& edits = **parsed;
  using Files = std::vector<CdiEdits::File>;
  EXPECT_EQ(edits.devices, (Files{{"/dev/nvidia0", "/dev/nvidia0"},
                                  {"/dev/nvidia7", "/dev/nvidia1"},
                                  {"/dev/nvidiactl", "/dev/nvidiactl"}}));
  EXPECT_EQ(edits.files, (Files{{"/usr/lib/libcuda.so.550", "/usr/lib/x86_64-linux-gnu/libcuda.so.550"}}));
  EXPECT_EQ(edits.environment, std::vector<std::string>{"NVIDIA_VISIBLE_DEVICES=void"});
}

TEST(CdiTest, TwoHooksAreUnderstoodAndNoneIsExecuted) {
  const auto parsed = parse_cdi(kYaml);
  ASSERT_TRUE(parsed && *parsed);
  const auto& edits = **parsed;
  using Files = std::vector<CdiEdits::File>;
  EXPECT_EQ(edits.links, (Files{{"libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so"}, {"a", "/b"}}));
  EXPECT_EQ(edits.library_folders, std::vector<std::string>{"/usr/lib/x86_64-linux-gnu"});
  EXPECT_EQ(edits.unknown_hooks, std::vector<std::string>{"enable-cuda-compat"});
}

TEST(CdiTest, JsonIsReadTheSameWay) {
  const auto parsed = parse_cdi(
      R"({"kind": "amd.com/gpu", "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/kfd"}]}}]})");
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->devices, (std::vector<CdiEdits::File>{{"/dev/kfd", "/dev/kfd"}}));
}

TEST(CdiTest, AFileAboutOtherDevicesIsNone) {
  const auto parsed = parse_cdi("kind: vendor.com/net\ncontainerEdits:\n  env: [x]\n");
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(*parsed);
  EXPECT_FALSE(parse_cdi("").value());
  EXPECT_FALSE(parse_cdi("[1, 2]").value());
}

std::string error_of(const char* edits) {
  const auto parsed = parse_cdi("kind: x.com/gpu\ncontainerEdits: {" + std::string(edits) + "}\n");
  return parsed ? "" : parsed.error().message();
}

TEST(CdiTest, WhatIsMalformedIsRefused) {
  EXPECT_EQ(parse_cdi("kind: [").error().message().substr(0, 5), "line ");
  EXPECT_EQ(error_of("deviceNodes: [{path: dev}]"), "device 'dev' is not an absolute path without '..'");
  EXPECT_EQ(error_of("mounts: [{hostPath: /a, containerPath: /b/../c}]"),
            "mount '/b/../c' is not an absolute path without '..'");
  EXPECT_EQ(error_of("env: [A]"), "env 'A' is not of the form NAME=VALUE");
  EXPECT_EQ(error_of("hooks: [{args: [x, create-symlinks, --link, \"a:b\"]}]"),
            "link 'a:b' is not of the form TARGET::LINK");
}

}  // namespace
}  // namespace isolate
