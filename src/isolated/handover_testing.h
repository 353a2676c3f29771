// Helpers for tests of the handover.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <cstdint>

#include "base/testing.h"
#include "isolated/handover.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/reporting_child.h"
#include "linux/user_namespace.h"

namespace isolate {

constexpr uid_t kMember = 61234;
constexpr std::uint32_t kBase = 1900000000;

// Tests run in a mount namespace with its own /run, and with a process of a member as the peer.
class HandoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_ROOT();
    for (const char* name : {"layer", "clone/upper", "clone/work", "plain"}) {
      std::filesystem::create_directories(directory_ / name);
    }
    test::write_text(directory_ / "layer/file", "of the template");
    test::write_text(directory_ / "plain/file", "of the clone");
  }

  // Runs `body` in a child with all of that. `member` runs in the member's process first.
  Result<void> inside(
      const std::function<Result<void>(const Peer&)>& body, const std::function<void()>& member = [] {}) {
    return TRY(ReportingChild::start([&]() -> Result<void> {
             if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare");
             TRY_VOID(mount::make_all_private());
             if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) return fail(errno, "mount");
             TRY_VOID(make_directories("/run/isolate/stage", 0755));
             int ready[2];
             int life[2];
             if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(life, O_CLOEXEC) != 0) return fail(errno, "pipe");
             auto process = TRY(fork_child(0, [&] {
               ::close(life[1]);
               member();
               if (::setgroups(0, nullptr) != 0 || ::setresgid(kMember, kMember, kMember) != 0) return 1;
               if (::setresuid(kMember, kMember, kMember) != 0) return 1;
               if (::write(ready[1], "x", 1) != 1) return 1;
               char end = 0;
               return ::read(life[0], &end, 1) == 0 ? 0 : 1;
             }));
             // Closing this pipe ends the member's process. Nobody in the new namespaces has the right to kill it.
             const Fd keeps_alive(life[1]);
             ::close(ready[1]);
             char byte = 0;
             if (::read(ready[0], &byte, 1) != 1) return fail("the member's process has failed");
             const int copy = ::fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 3);
             return body(Peer{kMember, kMember, process.pid(), Fd(copy)});
           }))
        .finish();
  }
  RootSource overlay() const { return {{directory_ / "layer"}, directory_ / "clone"}; }
  RootSource plain() const { return {{}, directory_ / "plain"}; }
  // Stands for a ZFS clone: a file system that is mounted nowhere yet.
  static RootSource file_system() {
    return {{}, "", mount::FileSystem{"tmpfs", {{"source", "a-clone"}, {"mode", "0755"}}}};
  }
  // The parts of a lease, except its locks.
  struct Prepared {
    LeaseNamespaces namespaces;
    Handover handover;
  };
  static Result<Prepared> prepare(const Peer& peer, const RootSource& root,
                                  const std::optional<wire::NestedRequest>& nested = {}) {
    Prepared prepared;
    prepared.namespaces = TRY(make_lease_namespaces(peer, member_maps(peer, kBase, false), nested));
    prepared.handover = TRY(prepare_handover(peer, prepared.namespaces, root, Mapping::id_mapped));
    return prepared;
  }
  static Result<void> expect_error(const Result<void>& outcome, int code, const std::string& what) {
    if (!outcome && outcome.error().code() == code) return {};
    return fail(what + ": " + (outcome ? "succeeded" : outcome.error().message()));
  }
  static Result<void> clear(const std::string& path, std::uint64_t flags) {
    mount_attr attributes{};
    attributes.attr_clr = flags;
    if (::syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), 0, &attributes, sizeof attributes) == 0) return {};
    return fail(errno, "mount_setattr");
  }

  test::TempDirectory directory_;
};

}  // namespace isolate
