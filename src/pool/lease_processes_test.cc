#include "pool/lease_processes.h"

#include <signal.h>
#include <sys/file.h>
#include <time.h>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"
#include "pool/end_lease.h"
#include "store/overlay_store.h"

namespace isolate {
namespace {

using test::must;

TEST(LeaseProcessesTest, TheGroupOfALeaseIsNamedAfterItsClone) {
  EXPECT_EQ(group_of_clone("1:name=systemd:/x/t-1\n0::/a.slice/lease-t-1/leaf\n", "t-1"),
            "/sys/fs/cgroup/a.slice/lease-t-1");
  EXPECT_EQ(group_of_clone("0::/t-1\n", "t-1"), "/sys/fs/cgroup/t-1");
  EXPECT_EQ(group_of_clone("0::/a.slice/lease-t-12\n", "t-1"), "");
  EXPECT_EQ(group_of_clone("0::/\n", "t-1"), "");
  EXPECT_EQ(group_of_clone("", "t-1"), "");
}

TEST(LeaseProcessesTest, ValuesOfMissingControllersAreMissing) {
  const test::TempDirectory group;
  test::write_text(group / "cpu.stat", "nr_periods 0\nusage_usec 1234\nuser_usec 1000\n");
  test::write_text(group / "memory.current", "4096\n");
  const auto usage = group_usage(group.path());
  EXPECT_EQ(usage.cpu_usec, 1234U);
  EXPECT_EQ(usage.memory_bytes, 4096U);
  EXPECT_FALSE(usage.tasks);
  EXPECT_FALSE(group_usage(group / "none").cpu_usec);
}

constexpr Patience kLittle{std::chrono::milliseconds(200), std::chrono::milliseconds(600),
                           std::chrono::milliseconds(50)};

// A lease file and a run that holds it: a child that has a child of its own in a new pid namespace.
class HeldLease {
 public:
  HeldLease() {
    store_.emplace(must(OverlayStore::open(directory_ / "store", &owner_)));
    pool_.emplace(&*store_, "t");
    path_ = directory_ / "store/pools/t/leased/t-1";
    test::write_text(path_, "");
    info_.clone_id = "t-1";
    info_.template_name = "t";
    info_.user = std::to_string(::getuid());
  }
  // Starts the run and writes its pid into the file.
  void start(bool ends_with_guest = true) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    holder_ = must(fork_child(0, [&] {
      const Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return 1;
      auto guest = fork_child(CLONE_NEWPID, [] { return ::pause(); });
      [[maybe_unused]] auto written = ::write(ready[1], "x", 1);
      if (guest) [[maybe_unused]]
        auto status = guest->wait();
      return ends_with_guest ? 0 : ::pause();
    }));
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    info_.pid = holder_.pid();
    test::write_text(path_, to_text(info_));
  }
  Result<LeaseSupervisor> find() const { return LeaseSupervisor::find(info_, must(pool_->open_lease_file("t-1"))); }

  test::TempDirectory directory_;
  OwnerNamespace owner_{Caller::current()};
  std::optional<OverlayStore> store_;
  std::optional<Pool> pool_;
  std::string path_;
  LeaseInfo info_;
  ChildProcess holder_;
};

TEST(LeaseProcessesTest, TheSupervisorHoldsTheLockAndBelongsToTheUser) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.start();
  const auto found = must(lease.find());
  EXPECT_EQ(found.process().pid(), lease.holder_.pid());
  // This process has the file open, too, but does not hold the lock.
  auto other_pid = lease.info_;
  other_pid.pid = ::getpid();
  EXPECT_TRUE(test::fails_with(LeaseSupervisor::find(other_pid, must(lease.pool_->open_lease_file("t-1"))), ESRCH));
  auto other_user = lease.info_;
  other_user.user = "12345";
  EXPECT_TRUE(test::fails_with(LeaseSupervisor::find(other_user, must(lease.pool_->open_lease_file("t-1"))), ESRCH));
  const auto engine = must(found.engine(must(ProcessTable::read())));
  ASSERT_TRUE(engine);
  EXPECT_EQ(must(process_status(engine->pid())).numbers.back(), 1);
  const auto usage = lease_usage(*lease.pool_, lease.info_, must(ProcessTable::read()));
  EXPECT_EQ(usage.tasks, 1U);
}

TEST(EndLeaseTest, KillingTheGuestEndsTheLease) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.start();
  EXPECT_TRUE(test::succeeded(end_lease(*lease.pool_, lease.info_, kLittle)));
  EXPECT_EQ(must(lease.holder_.wait()).describe(), "exit status 0");
  EXPECT_TRUE(test::fails_with(end_lease(*lease.pool_, lease.info_, kLittle), ESRCH));
}

TEST(EndLeaseTest, AnIsolateThatDoesNotEndIsKilled) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.start(false);
  EXPECT_TRUE(test::succeeded(end_lease(*lease.pool_, lease.info_, kLittle)));
  EXPECT_EQ(must(lease.holder_.wait()).describe(), "signal 9");
}

TEST(EndLeaseTest, ALockHeldByAnotherUserIsRevokedAndItsProcessLives) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.info_.pid = ::getpid();
  // This process has the file open, too, but belongs to another user than the lease.
  lease.info_.user = "12345";
  ASSERT_TRUE(test::succeeded(make_directories(lease.directory_ / "store/pools/t/trash", 0700)));
  const auto lock =
      must(FileLock::try_lock(must(open_file(AT_FDCWD, lease.path_, O_RDONLY)), FileLock::Mode::exclusive));
  EXPECT_TRUE(test::succeeded(end_lease(*lease.pool_, lease.info_, kLittle)));
  EXPECT_TRUE(must(lease.pool_->leases()).empty());
  EXPECT_EQ(must(lease.pool_->reap()), std::vector<std::string>{"t-1"});
}

TEST(EndLeaseTest, AProcessOfTheUserThatHoldsTheLockIsKilled) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.start(false);
  // As if the process that asked for the lease had forked and ended: its pid belongs to no process.
  lease.info_.pid = 4'000'000;
  EXPECT_EQ(must(lease.pool_->leases()).size(), 1U);
  EXPECT_TRUE(test::succeeded(end_lease(*lease.pool_, lease.info_, kLittle)));
  EXPECT_EQ(must(lease.holder_.wait()).describe(), "signal 9");
}

TEST(EndLeaseTest, ASharedLockStillHoldsTheLease) {
  REQUIRE_ROOT();
  HeldLease lease;
  lease.start();
  const auto file = must(open_file(AT_FDCWD, lease.path_, O_RDONLY));
  lease.holder_.kill_and_reap();
  // The lock outlives the killed holder here, so this process can change it.
  ASSERT_EQ(::flock(file.get(), LOCK_SH), 0);
  lease.info_.pid = ::getpid();
  EXPECT_EQ(must(lease.pool_->leases()).size(), 1U);
  EXPECT_TRUE(must(lease.pool_->reap()).empty());
  EXPECT_TRUE(must(lease.find()).process().pid() == ::getpid());
}

}  // namespace
}  // namespace isolate
