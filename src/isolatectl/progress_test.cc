#include "isolatectl/progress.h"

#include <gtest/gtest.h>

#include <functional>

namespace isolate {
namespace {

// Returns what Progress writes when standard error is a file.
std::string shown(bool quiet, const std::function<void(Progress*)>& body) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("template t", quiet);
    body(&progress);
  }
  return ::testing::internal::GetCapturedStderr();
}

TEST(ProgressTest, WithoutATerminalEachStepIsALine) {
  EXPECT_EQ(shown(false,
                  [](Progress* progress) {
                    progress->show(5, "downloading");
                    progress->show(50, "installing");
                  }),
            "template t: downloading\ntemplate t: installing\n");
}

TEST(ProgressTest, TheSameStepIsShownOnce) {
  EXPECT_EQ(shown(false,
                  [](Progress* progress) {
                    progress->show(5, "downloading");
                    progress->show(6, "downloading");
                  }),
            "template t: downloading\n");
}

TEST(ProgressTest, ControlBytesAreEscaped) {
  EXPECT_EQ(shown(false, [](Progress* progress) { progress->show(5, "a\033[2J\nb"); }),
            "template t: a\\x1b[2J\\x0ab\n");
}

TEST(ProgressTest, NothingIsShownWithQuiet) {
  EXPECT_EQ(shown(true, [](Progress* progress) { progress->show(5, "downloading"); }), "");
}

}  // namespace
}  // namespace isolate
