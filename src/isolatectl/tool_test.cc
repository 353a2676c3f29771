#include "isolatectl/tool.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

std::string cause_of(const std::vector<std::string>& lines) {
  Complaint complaint;
  for (const auto& line : lines) complaint.add(line);
  return complaint.cause();
}

TEST(ComplaintTest, TheCauseIsAnErrorOfTarAndNotAWarningBeforeIt) {
  EXPECT_EQ(cause_of({"tar: Ignoring unknown extended header keyword 'SCHILY.fflags'",
                      "tar: Removing leading `/' from member names", "tar: ./a: time stamp is 9 s in the future",
                      "tar: ./b: Cannot open: Permission denied", "tar: ./c: Cannot open: Permission denied",
                      "tar: Exiting with failure status due to previous errors"}),
            "tar: ./b: Cannot open: Permission denied");
  EXPECT_EQ(cause_of({"tar: This does not look like a tar archive", "tar: Skipping to next header",
                      "tar: Exiting with failure status due to previous errors"}),
            "tar: This does not look like a tar archive");
}

TEST(ComplaintTest, AMessageOfTheDecompressorIsPreferredToTarsSummary) {
  EXPECT_EQ(cause_of({"gzip: stdin: unexpected end of file", "tar: Child returned status 1",
                      "tar: Error is not recoverable: exiting now"}),
            "gzip: stdin: unexpected end of file");
}

TEST(ComplaintTest, AFullDiskIsPreferredToAllOtherErrors) {
  EXPECT_EQ(cause_of({"tar: a: Wrote only 512 of 10240 bytes", "tar: b: Cannot mkdir: No space left on device"}),
            "tar: b: Cannot mkdir: No space left on device");
}

TEST(ComplaintTest, WarningsOfASuccessfulToolAreCounted) {
  Complaint complaint;
  complaint.add("tar: ./a: Warning: Cannot acl_set_file: Operation not supported");
  complaint.add("tar: acl_set_file_at: Cannot set POSIX ACLs for file './b': Invalid argument");
  complaint.add("tar: setxattr: Cannot set 'user.x' extended attribute for file './c': Operation not supported");
  complaint.add("tar: Removing leading `/' from member names");
  EXPECT_EQ(complaint.warnings(), 3U);
  EXPECT_EQ(complaint.cause(), "") << "no error";
  EXPECT_EQ(complaint.first_warning(), "tar: ./a: Warning: Cannot acl_set_file: Operation not supported");
}

}  // namespace
}  // namespace isolate
