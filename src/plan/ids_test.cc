#include "plan/ids.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>

#include "base/testing.h"
#include "linux/file.h"
#include "linux/process.h"

namespace isolate {
namespace {

using test::verify;

constexpr std::uint32_t kFreeBase = 700000000;  // no user of any host

// A plan, and the lock of its range if there is one.
struct Planned : IdPlan {
  FileLock range_lock;
};

// Finds the available ids and plans with them, as a run does.
Result<Planned> plan_ids(const RunRequest& request, OwnerNamespace* owner, std::uint32_t root_owner) {
  Planned planned;
  const auto ids = TRY(find_ids(request, owner, &planned.range_lock));
  static_cast<IdPlan&>(planned) = TRY(plan_ids(request, owner->caller(), ids, root_owner));
  return planned;
}

class IdPlanTest : public ::testing::Test {
 protected:
  void SetUp() override { REQUIRE_ROOT(); }

  // Runs `body` as root with a /run of its own, because the locks of the ranges in use are there.
  static void as_root(const std::function<Result<void>(OwnerNamespace* owner)>& body,
                      test::Where where = test::Where::here()) {
    test::in_private_mounts(
        [&]() -> Result<void> {
          if (::mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") != 0) return fail(errno, "mount /run");
          OwnerNamespace owner(Caller::current());
          return body(&owner);
        },
        where);
  }
  static void as_user(const test::PretendedUser& user, const std::function<Result<void>(OwnerNamespace* owner)>& body,
                      test::Where where = test::Where::here()) {
    test::as_pretended_user(
        user,
        [&](const std::string&) -> Result<void> {
          OwnerNamespace owner(Caller::current());
          return body(&owner);
        },
        where);
  }
  static Result<void> expect_error(const RunRequest& request, OwnerNamespace* owner, const std::string& part) {
    const auto message = test::message_of(plan_ids(request, owner, 0));
    return verify(message.find(part) != std::string::npos, "an error with '" + part + "', not: " + message);
  }
  static Result<void> expect_maps(const IdPlan& plan, const std::string& uids, const std::string& gids) {
    const auto seen = describe(plan.maps.uid) + " and " + describe(plan.maps.gid);
    return verify(seen == uids + " and " + gids, uids + " and " + gids + ", not: " + seen);
  }
  static std::string range(std::uint32_t base) { return "0 " + std::to_string(base) + " 65536"; }
  static RunRequest request() {
    RunRequest request;
    request.template_name = "t";
    return request;
  }
};

TEST_F(IdPlanTest, RunsOfRootHaveRangesOfTheirOwn) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    const auto first = TRY(plan_ids(request(), owner, 0));
    const auto second = TRY(plan_ids(request(), owner, 0));
    const auto base = first.maps.uid[0].outside;
    TRY_VOID(expect_maps(first, range(base), range(base)));
    TRY_VOID(verify(first.new_namespace && first.idmap_root && first.idmap_binds, "a namespace, all of it id-mapped"));
    TRY_VOID(verify(base >= 1U << 30 && base % 65536 == 0, "above all users of the host"));
    return verify(base != second.maps.uid[0].outside, "two runs at once have two ranges");
  });
}

TEST_F(IdPlanTest, AnotherProcessHasAnotherRangeToo) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    const auto first = TRY(plan_ids(request(), owner, 0));
    const auto base = first.maps.uid[0].outside;
    auto child = TRY(fork_child(0, [&] {
      const auto other = plan_ids(request(), owner, 0);
      return other && other->maps.uid[0].outside != base ? 0 : 1;
    }));
    return verify(TRY(child.wait()).success(), "another range");
  });
}

TEST_F(IdPlanTest, ARangeIsFreeAgainAfterItsRun) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    for (int i = 0; i < 5000; ++i) TRY(plan_ids(request(), owner, 0));
    return {};
  });
}

TEST_F(IdPlanTest, WhenAllRangesAreInUseThatIsSaid) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    rlimit most{};
    ::getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &most);
    TRY(plan_ids(request(), owner, 0));  // makes the directory
    std::vector<FileLock> others;
    for (int i = 0; i < 4096; ++i) {
      auto file = TRY(open_file(AT_FDCWD, "/run/isolate/ranges/" + std::to_string(i), O_RDWR | O_CREAT, 0600));
      others.push_back(TRY(FileLock::try_lock(std::move(file), FileLock::Mode::exclusive)));
    }
    return expect_error(request(), owner, "all 4096 ranges of ids are in use");
  });
}

TEST_F(IdPlanTest, ADryRunTakesNoRange) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto dry = request();
    dry.dry_run = true;
    const auto plan = TRY(plan_ids(dry, owner, 0));
    return verify(!plan.range_lock && !test::exists("/run/isolate"), "nothing is made");
  });
}

TEST_F(IdPlanTest, ABaseOfRootsIsTakenForGroupsTooUnlessTheyHaveTheirOwn) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto asked = request();
    asked.uid_base = kFreeBase;
    TRY_VOID(expect_maps(TRY(plan_ids(asked, owner, 0)), range(kFreeBase), range(kFreeBase)));
    asked.gid_base = kFreeBase + 65536;
    TRY_VOID(expect_maps(TRY(plan_ids(asked, owner, 0)), range(kFreeBase), range(kFreeBase + 65536)));
    asked.uid_base.reset();
    return expect_maps(TRY(plan_ids(asked, owner, 0)), range(kFreeBase + 65536), range(kFreeBase + 65536));
  });
}

TEST_F(IdPlanTest, ATemplateThatBelongsToTheRangeIsNotMapped) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto asked = request();
    asked.uid_base = kFreeBase;
    TRY_VOID(verify(!TRY(plan_ids(asked, owner, kFreeBase)).idmap_root, "it belongs to the range already"));
    return verify(TRY(plan_ids(asked, owner, 0)).idmap_root, "it belongs to root");
  });
}

TEST_F(IdPlanTest, ARangeWithUsersOrGroupsOfTheHostIsRefused) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto asked = request();
    asked.uid_base = 1;
    TRY_VOID(expect_error(asked, owner, "ids 1 to 65536 would include the host's user 'daemon'"));
    asked.uid_base = kFreeBase;
    asked.gid_base = 1;
    return expect_error(asked, owner, "would include the host's group 'daemon'");
  });
}

TEST_F(IdPlanTest, OnlyTheChrootEngineOfRootHasTheHostsIds) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto chroot = request();
    chroot.engine = EngineKind::chroot;
    TRY_VOID(verify(!TRY(plan_ids(chroot, owner, 0)).new_namespace, "the host's ids"));
    auto based = chroot;
    based.uid_base = kFreeBase;
    TRY_VOID(verify(TRY(plan_ids(based, owner, 0)).new_namespace, "a range that was asked for"));
    chroot.userns = UsernsMode::private_range;
    return verify(TRY(plan_ids(chroot, owner, 0)).new_namespace, "a private range that was asked for");
  });
}

TEST_F(IdPlanTest, ASingleIdIsNotForRoot) {
  as_root([](OwnerNamespace* owner) -> Result<void> {
    auto single = request();
    single.userns = UsernsMode::single;
    return expect_error(single, owner, "--userns=single is for ordinary users");
  });
}

TEST_F(IdPlanTest, AUserIsIdZeroAndHasHisRangeAbove) {
  as_user({}, [](OwnerNamespace* owner) -> Result<void> {
    const auto plan = TRY(plan_ids(request(), owner, 0));
    TRY_VOID(expect_maps(plan, "0 54321 1, 1 300000 65536", "0 54321 1, 1 400000 65536"));
    return verify(plan.writer == MapWriter::newuidmap && !plan.idmap_root && !plan.nested_private, "through newuidmap");
  });
}

TEST_F(IdPlanTest, AUserWithoutARangeIsToldHowToGetOne) {
  as_user({"", ""}, [](OwnerNamespace* owner) { return expect_error(request(), owner, "usermod --add-subuids"); });
}

TEST_F(IdPlanTest, ASingleIdNeedsNoRange) {
  as_user({"", ""}, [](OwnerNamespace* owner) -> Result<void> {
    auto single = request();
    single.userns = UsernsMode::single;
    const auto plan = TRY(plan_ids(single, owner, 0));
    TRY_VOID(expect_maps(plan, "0 54321 1", "0 54321 1"));
    return verify(plan.writer == MapWriter::self, "written by himself");
  });
}

TEST_F(IdPlanTest, APrivateRangeOfAUserIsANamespaceBelow) {
  as_user({}, [](OwnerNamespace* owner) -> Result<void> {
    auto private_range = request();
    private_range.userns = UsernsMode::private_range;
    return verify(TRY(plan_ids(private_range, owner, 0)).nested_private, "nested");
  });
}

TEST_F(IdPlanTest, APrivateRangeNeedsAllIdsOfAGuest) {
  as_user({"tester:300000:65535\n", "tester:400000:65536\n"}, [](OwnerNamespace* owner) -> Result<void> {
    auto private_range = request();
    private_range.userns = UsernsMode::private_range;
    return expect_error(private_range, owner, "--userns=private needs 65536 ids of your own");
  });
}

TEST_F(IdPlanTest, ABaseOfAUsersHasToBeHisOwn) {
  as_user({"tester:300000:131072\n", "tester:400000:131072\n"}, [](OwnerNamespace* owner) -> Result<void> {
    auto asked = request();
    asked.template_name.clear();
    asked.directory = "/srv/root";
    asked.uid_base = 300000;
    asked.gid_base = 400000;
    TRY_VOID(expect_maps(TRY(plan_ids(asked, owner, 300000)), range(300000), range(400000)));
    asked.uid_base = 299999;
    TRY_VOID(expect_error(asked, owner, "ids 299999 to 365534 are not yours in /etc/subuid"));
    asked.uid_base = 300001 + 65536;
    TRY_VOID(expect_error(asked, owner, "are not yours in /etc/subuid"));
    asked.uid_base = 300000;
    asked.gid_base = 54321;
    return expect_error(asked, owner, "are not yours in /etc/subgid");
  });
}

TEST_F(IdPlanTest, ABaseDoesNotGoWithAUsersOwnTemplates) {
  as_user({}, [](OwnerNamespace* owner) -> Result<void> {
    auto asked = request();
    asked.uid_base = 300000;
    asked.gid_base = 400000;
    return expect_error(asked, owner, "-u and -g go with -t");
  });
}

TEST(NestedMapsTest, EachEntryAboveHasOneAndAPrivateGuestDoesNotHaveTheFirstId) {
  IdPlan plan;
  plan.maps = {{{0, 1000, 1}, {1, 100000, 65535}}, {{0, 1001, 1}, {1, 200000, 65535}}};
  EXPECT_EQ(nested_maps(plan), (IdMaps{{{0, 0, 1}, {1, 1, 65535}}, {{0, 0, 1}, {1, 1, 65535}}}));
  plan.nested_private = true;
  EXPECT_EQ(nested_maps(plan), (IdMaps{{{0, 1, 65535}}, {{0, 1, 65535}}}));
}

}  // namespace
}  // namespace isolate
