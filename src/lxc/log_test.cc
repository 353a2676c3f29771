#include "lxc/log.h"

#include <gtest/gtest.h>

namespace isolate::lxc {
namespace {

TEST(LxcLogTest, ErrorsAreShownWithoutTimesAndPlacesInLxcsSource) {
  EXPECT_EQ(
      messages_of("lxc c 20261127133523.190 ERROR    utils - ../src/lxc/utils.c:lxc_drop_groups:1365 - Operation not "
                  "permitted - Failed to drop groups\n"
                  "lxc c 20261127133523.191 WARN     conf - ../src/lxc/conf.c:x:1 - of no interest\n"
                  "lxc c 20261127133523.191 ERROR    start - ../src/lxc/start.c:__lxc_start:2107 - Failed to spawn\n"),
      "Operation not permitted - Failed to drop groups; Failed to spawn");
}

TEST(LxcLogTest, MalformedLinesAreLeftOut) {
  EXPECT_EQ(messages_of(""), "");
  EXPECT_EQ(messages_of("\n ERROR \nERROR - \n ERROR  a - b\n"), "");
}

TEST(LxcLogTest, ControlBytesAreEscaped) { EXPECT_EQ(messages_of("lxc c 1 ERROR    a - b:c:1 - \x1b[2J"), "\\x1b[2J"); }

TEST(LxcLogTest, AMissingLogSaysThatThereIsNoReason) {
  EXPECT_EQ(errors_in_log("/nonexistent/log"), "LXC gave no reason");
}

}  // namespace
}  // namespace isolate::lxc
