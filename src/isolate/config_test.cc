#include "isolate/config.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;
using test::must;

Options applied(const std::string& text) {
  Options options;
  must(apply_configuration(text, "config.toml", &options));
  return options;
}

std::string error(const std::string& text) {
  Options options;
  return test::message_of(apply_configuration(text, "config.toml", &options));
}

TEST(ConfigurationTest, KeysAreTheLongNamesOfOptions) {
  const auto options = applied(
      "# my settings\n"
      "template = \"debian\"\n"
      "engine = \"chroot\"\n"
      "share-net = true\n"
      "read-only = false\n"
      "uid-base = 100000\n"
      "store = \"/srv/store\"\n"
      "quiet = true\n"
      "userns = \"private\"\n");
  EXPECT_EQ(options.request.template_name, "debian");
  EXPECT_EQ(options.request.engine, EngineKind::chroot);
  EXPECT_TRUE(options.request.share_network);
  EXPECT_FALSE(options.request.read_only);
  EXPECT_EQ(options.request.uid_base, 100000U);
  EXPECT_EQ(options.request.store, "/srv/store");
  EXPECT_TRUE(options.quiet);
  EXPECT_EQ(options.request.userns, UsernsMode::private_range);
}

TEST(ConfigurationTest, TheValueUnlimitedRemovesALimitOfTheGuest) {
  const std::string limits = "memory = \"64M\"\ncpus = \"1.5\"\npids = 40\nio-weight = 200\n";
  EXPECT_EQ(applied(limits).request.group_limits, (GroupLimits{67108864, 150000, 40, 200}));
  auto options = applied(limits);
  for (const char* name : {"memory", "cpus", "pids", "io-weight"}) must(apply_setting(name, "unlimited", &options));
  EXPECT_FALSE(options.request.group_limits.any());
  EXPECT_EQ(error("pids = 0\n"), "config.toml:1: pids: '0' is not a whole number from 1 to 4194304");
  EXPECT_NE(error("io-weight = 10001\n"), "");
  EXPECT_NE(error("memory = \"lots\"\n"), "");
  EXPECT_EQ(error("memory = \"6143K\"\n"),
            "config.toml:1: memory: '6143K' is less than 6M, the least with which a guest can start");
  EXPECT_NE(error("cpus = \"0\"\n"), "");
}

TEST(ConfigurationTest, AnEmptyFileChangesNothing) {
  EXPECT_EQ(applied("").request.engine, EngineKind::bwrap);
  EXPECT_EQ(applied("# nothing\n\n").request.template_name, "");
}

TEST(ConfigurationTest, AFileOfCommentsChangesNothing) {
  Options options;
  test::expect_success(apply_configuration("# engine\n\n  #engine = \"chroot\"\r\n\t# end", "config.toml", &options));
  EXPECT_EQ(options.request.engine, EngineKind::bwrap);
  test::expect_success(apply_configuration("# engine\nengine = \"chroot\"", "config.toml", &options));
  EXPECT_EQ(options.request.engine, EngineKind::chroot);
}

TEST(ConfigurationTest, AListActsLikeARepeatedOption) {
  const auto options = applied("bind = [\"/a:/b:ro\", \"/c:/d\"]\nenv = [\n  \"A=1\",\n  \"B:2\",\n]\n");
  EXPECT_EQ(options.request.binds, (std::vector<Bind>{{"/a", "/b", true}, {"/c", "/d", false}}));
  EXPECT_EQ(options.request.environment, (Words{"A=1", "B=2"}));
  EXPECT_EQ(applied("cap-drop = \"ALL\"").request.dropped_capabilities, CapabilitySet::all());
}

TEST(ConfigurationTest, SyntaxErrorsNameFileAndLine) {
  EXPECT_TRUE(error("quiet = true\ntemplate = debian\n").starts_with("config.toml:2: ")) << error("x");
  EXPECT_TRUE(error("quiet = true\nquiet = false\n").starts_with("config.toml:2: "));
  EXPECT_TRUE(error("\n\n\nbind = [\"/a:/b\"\n").starts_with("config.toml:"));
  EXPECT_NE(error("a = \"\x01\"\n"), "");
  EXPECT_NE(error("\xff\xfe"), "");
}

TEST(ConfigurationTest, ErrorsAboutUnknownKeysNameFileAndLine) {
  EXPECT_EQ(error("quiet = true\n\nshare_net = true\n"),
            "config.toml:3: unknown setting 'share_net'; use the long name of an option, see isolate --help");
  EXPECT_NE(error("n = true\n"), "") << "the short name of an option is not a key";
  EXPECT_NE(error("\"\" = true\n"), "");
  EXPECT_NE(error("[section]\nquiet = true\n"), "");
}

TEST(ConfigurationTest, ErrorsAboutWrongValuesNameFileAndLine) {
  EXPECT_EQ(error("quiet = true\nengine = \"docker\"\n"),
            "config.toml:2: engine 'docker' is unknown; use bwrap, native, lxc or chroot");
  EXPECT_EQ(error("share-net = \"yes\"\n"), "config.toml:1: share-net is a switch; set it to true or false");
  EXPECT_EQ(error("share-net = 1\n"), "config.toml:1: share-net is a switch; set it to true or false");
  EXPECT_EQ(error("template = 1.5\n"),
            "config.toml:1: a value must be a string, a whole number, true or false, or a list of strings");
  EXPECT_NE(error("uid-base = -1\n"), "");
  EXPECT_NE(error("bind = [\"/a:/b\", [\"/c:/d\"]]\n"), "") << "a list in a list";
  EXPECT_NE(error("template = 2024-01-01\n"), "");
}

TEST(ConfigurationTest, SomeOptionsWorkOnTheCommandLineOnly) {
  for (const std::string key : {"help", "version", "dry-run", "force", "no-create"}) {
    EXPECT_EQ(error(key + " = true\n"), "config.toml:1: '" + key + "' works on the command line only");
  }
  EXPECT_EQ(error("status-fd = 3\n"), "config.toml:1: 'status-fd' works on the command line only");
}

TEST(ConfigurationTest, ErrorsContainNoControlBytes) {
  for (const char* text : {"\"a\\u001b[2J\" = true\n", "engine = \"\\u001b[2J\"\n", "template-dir = \"/\\u001b\"\n"}) {
    EXPECT_EQ(error(text).find('\033'), std::string::npos) << text;
    EXPECT_NE(error(text), "");
  }
}

// Uses files at the places where a user has them. A child with its own mount namespace mounts a test directory on /etc.
class ConfigurationFilesTest : public ::testing::Test {
 protected:
  ConfigurationFilesTest() : home_("HOME", (directory_ / "home").c_str()), config_home_("XDG_CONFIG_HOME", nullptr) {
    std::filesystem::create_directories(directory_ / "etc");
  }
  void SetUp() override { REQUIRE_ROOT(); }
  void expect_template(const std::string& name, test::Where where = test::Where::here()) const {
    test::in_private_mounts(
        [&]() -> Result<void> {
          TRY_VOID(test::bind_over(directory_ / "etc", "/etc"));
          Options options;
          TRY_VOID(read_configuration(&options));
          return test::verify(options.request.template_name == name, name + ", not " + options.request.template_name);
        },
        where);
  }

  test::TempDirectory directory_;
  test::ScopedVariable home_;
  test::ScopedVariable config_home_;
};

TEST_F(ConfigurationFilesTest, NoFileIsRequired) { expect_template(""); }

TEST_F(ConfigurationFilesTest, TheUsersFileOverridesTheOneInEtc) {
  test::write_text(directory_ / "etc/isolate/config.toml", "template = \"of-the-machine\"\n");
  expect_template("of-the-machine");
  test::write_text(directory_ / "home/.config/isolate/config.toml", "template = \"of-the-user\"\n");
  expect_template("of-the-user");
}

TEST_F(ConfigurationFilesTest, XdgConfigHomeReplacesDotConfigIfItIsAbsolute) {
  test::write_text(directory_ / "home/.config/isolate/config.toml", "template = \"usual\"\n");
  test::write_text(directory_ / "xdg/isolate/config.toml", "template = \"other\"\n");
  const test::ScopedVariable other("XDG_CONFIG_HOME", (directory_ / "xdg").c_str());
  expect_template("other");
  const test::ScopedVariable relative("XDG_CONFIG_HOME", "xdg");
  expect_template("usual");
}

TEST_F(ConfigurationFilesTest, AFileThatCannotBeReadIsAnError) {
  std::filesystem::create_directories(directory_ / "home/.config/isolate/config.toml");
  Options options;
  EXPECT_EQ(test::message_of(read_configuration(&options)),
            "configuration: read " + (directory_ / "home/.config/isolate/config.toml") + ": Is a directory");
}

TEST_F(ConfigurationFilesTest, AFileThatAnotherUserCouldHaveWrittenIsRefused) {
  const auto file = directory_ / "home/.config/isolate/config.toml";
  const std::string folders[] = {file, directory_ / "home/.config/isolate", directory_ / "home/.config"};
  test::write_text(file, "engine = \"chroot\"\n");
  for (const auto& path : folders) {
    Options options;
    ASSERT_EQ(::chown(path.c_str(), 1000, 0), 0);
    EXPECT_EQ(test::message_of(read_configuration(&options)),
              "configuration: " + path +
                  " belongs to user 1000, who could change your settings; make it belong to you or to root");
    ASSERT_EQ(::chown(path.c_str(), 0, 1000), 0);
    for (const mode_t mode : {0775U, 0757U}) {
      ASSERT_EQ(::chmod(path.c_str(), mode), 0);
      EXPECT_EQ(
          test::message_of(read_configuration(&options)),
          "configuration: other users can write to " + path + " and change your settings; run chmod go-w " + path);
    }
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    EXPECT_NE(options.request.engine, EngineKind::chroot);
  }
  Options options;
  EXPECT_TRUE(test::succeeded(read_configuration(&options)));
  EXPECT_EQ(options.request.engine, EngineKind::chroot);
}

}  // namespace
}  // namespace isolate
