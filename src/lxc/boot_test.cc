#include "lxc/boot.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate::lxc {
namespace {

class BootTest : public ::testing::Test {
 protected:
  std::string root() const { return folder_.path(); }
  void program(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(root() + path).parent_path());
    ASSERT_TRUE(open_file(AT_FDCWD, root() + path, O_CREAT | O_WRONLY, 0755));
  }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(root() + path).parent_path());
    ASSERT_EQ(::symlink(target.c_str(), (root() + path).c_str()), 0);
  }

 private:
  test::TempDirectory folder_;
};

TEST_F(BootTest, AnEmptyRootHasNoInit) { EXPECT_FALSE(find_init(root())); }

TEST_F(BootTest, SystemdReportsThatItHasBooted) {
  program("/usr/lib/systemd/systemd");
  link("/usr/sbin/init", "/lib/systemd/systemd");
  link("/lib", "usr/lib");
  link("/sbin", "usr/sbin");
  const auto init = find_init(root());
  ASSERT_TRUE(init);
  EXPECT_TRUE(init->reports_boot);
}

TEST_F(BootTest, OtherInitsDoNotReportThatTheyHaveBooted) {
  program("/sbin/init");
  const auto init = find_init(root());
  ASSERT_TRUE(init);
  EXPECT_FALSE(init->reports_boot);
}

TEST_F(BootTest, ALinkDoesNotLeadOutOfTheRoot) {
  link("/sbin/init", "../../../../../../../bin/sh");
  EXPECT_FALSE(find_init(root()));
}

TEST_F(BootTest, AFileThatIsNotExecutableIsNotAnInit) {
  program("/sbin/init");
  ASSERT_EQ(::chmod((root() + "/sbin/init").c_str(), 0644), 0);
  EXPECT_FALSE(find_init(root()));
}

TEST_F(BootTest, TheNoticeIsALineOfItsOwnInAMessage) {
  const auto path = root() + "/socket";
  const auto notice = BootNotice::listen(path);
  ASSERT_TRUE(notice);
  std::thread sender([&path] {
    const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    for (const std::string_view message : {"STATUS=READY=1", "", "X=1\nREADY=1\nSTATUS=up"}) {
      ::sendto(socket.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  notice->wait(-1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  sender.join();
}

}  // namespace
}  // namespace isolate::lxc
