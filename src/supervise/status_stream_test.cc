#include "supervise/status_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "supervise/supervisor.h"

namespace isolate {
namespace {

using nlohmann::json;
using test::must;

class StatusStreamTest : public ::testing::Test {
 protected:
  StatusStreamTest() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    reader_ = Fd(ends[0]);
    writer_ = Fd(ends[1]);
  }
  // The objects that were written, one from each line. Call it once.
  std::vector<json> lines() {
    writer_.reset();
    std::istringstream text(must(read_all(reader_.get())));
    std::vector<json> objects;
    for (std::string line; std::getline(text, line);) objects.push_back(json::parse(line));
    return objects;
  }

  Fd reader_;
  Fd writer_;
};

TEST_F(StatusStreamTest, EachEventIsAnObjectOnALine) {
  {
    const auto stream = must(StatusStream::open(writer_.get()));
    stream.report_ready("debian-abc");
    stream.report_taken("debian-abc");
    stream.report_start(4711, "debian-abc", true);
    stream.report_end({false, 3}, false, false);
    stream.report_end({true, SIGKILL}, true, false);
    stream.report_end({true, SIGKILL}, false, true);
    stream.report_failure("overlay", "mount: \"no\"\nspace");
  }
  const std::vector<json> expected = {{{"event", "ready"}, {"clone", "debian-abc"}},
                                      {{"event", "taken"}, {"clone", "debian-abc"}},
                                      {{"event", "started"}, {"pid", 4711}, {"clone", "debian-abc"}, {"warm", true}},
                                      {{"event", "ended"}, {"code", 3}},
                                      {{"event", "ended"}, {"signal", 9}, {"timeout", true}},
                                      {{"event", "ended"}, {"signal", 9}, {"outOfMemory", true}},
                                      {{"event", "failed"}, {"step", "overlay"}, {"reason", "mount: \"no\"\nspace"}}};
  EXPECT_EQ(lines(), expected);
}

TEST_F(StatusStreamTest, TextThatIsNotUtf8IsWrittenWithReplacementCharacters) {
  { must(StatusStream::open(writer_.get())).report_failure("bind", "/a\xff"); }
  EXPECT_EQ(lines().at(0)["reason"], "/a\xef\xbf\xbd");
}

TEST_F(StatusStreamTest, WithoutADescriptorNothingIsWritten) {
  must(StatusStream::open(-1)).report_end({false, 0}, false, false);
  EXPECT_TRUE(lines().empty());
}

TEST_F(StatusStreamTest, AReadOnlyDescriptorIsRefused) {
  EXPECT_EQ(test::message_of(StatusStream::open(999999)),
            "--status-fd 999999: not a descriptor that is open for writing");
  EXPECT_FALSE(StatusStream::open(reader_.get()));
}

TEST_F(StatusStreamTest, NoProgramInheritsIt) {
  struct stat pipe {};
  ASSERT_EQ(::fstat(writer_.get(), &pipe), 0);
  const auto is_inherited = "ls -l /proc/self/fd | grep -q 'pipe:." + std::to_string(pipe.st_ino) + ".'";
  const auto stream = must(StatusStream::open(writer_.get()));
  EXPECT_NE(std::system(is_inherited.c_str()), 0);
  const Fd inherited(::fcntl(writer_.get(), F_DUPFD, 3));
  EXPECT_EQ(std::system(is_inherited.c_str()), 0) << "the check finds a descriptor that is inherited";
}

TEST_F(StatusStreamTest, AReaderThatHasGoneAwayDoesNotStopTheWriter) {
  reader_.reset();
  test::in_child([&]() -> Result<void> {
    hold_signals();  // every run does this first
    const auto stream = TRY(StatusStream::open(writer_.get()));
    stream.report_failure("options", "no such template");
    return {};
  });
}

}  // namespace
}  // namespace isolate
