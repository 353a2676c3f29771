#include "isolate/options.h"

#include <getopt.h>
#include <gtest/gtest.h>

#include "base/testing.h"
#include "linux/process.h"

namespace isolate {
namespace {

using Words = std::vector<std::string>;
using test::message_of;
using test::must;

class OptionsTest : public ::testing::Test {
 protected:
  // XDG_CONFIG_HOME points to the test's directory, so that the only configuration is what a test passes to config().
  OptionsTest() : config_home_("XDG_CONFIG_HOME", directory_.path().c_str()) {}

  void SetUp() override {
    ASSERT_FALSE(test::exists("/etc/isolate/config.toml")) << "the machine's own settings would be read here";
  }

  void config(const std::string& text) const { test::write_text(directory_ / "isolate/config.toml", text); }
  static Result<Options> parse(Words words) {
    words.insert(words.begin(), "isolate");
    auto pointers = pointer_array(words);
    ::optind = 0;  // makes getopt_long() start over; isolate calls it once, this test often
    return parse_options(static_cast<int>(words.size()), pointers.data());
  }
  // Parses the given options followed by "-z t true".
  static RunRequest request(Words options) {
    for (const char* word : {"-z", "t", "true"}) options.emplace_back(word);
    return must(parse(std::move(options))).request;
  }
  static std::string error(Words words) { return message_of(parse(std::move(words))); }

  test::TempDirectory directory_;
  test::ScopedVariable config_home_;
};

TEST_F(OptionsTest, ParsingStopsAtTheFirstNonOption) {
  const auto request = must(parse({"-z", "t", "ls", "-n", "--keep", "--", "x"})).request;
  EXPECT_EQ(request.command, (Words{"ls", "-n", "--keep", "--", "x"}));
  EXPECT_FALSE(request.share_network);
  EXPECT_FALSE(request.keep);
}

TEST_F(OptionsTest, ParsingStopsAtADoubleDash) {
  EXPECT_EQ(must(parse({"-z", "t", "--", "-n", "a"})).request.command, (Words{"-n", "a"}));
}

TEST_F(OptionsTest, TheErrorNamesAnUnknownOption) {
  EXPECT_EQ(error({"-Z", "true"}), "unknown option '-Z'; see isolate --help");
  EXPECT_EQ(error({"-nZ", "true"}), "unknown option '-Z'; see isolate --help");
  EXPECT_EQ(error({"--keep", "-Zn", "true"}), "unknown option '-Z'; see isolate --help");
  EXPECT_EQ(error({"-é", "true"}).substr(0, 16), "unknown option '");
  EXPECT_EQ(error({"--nonsense", "true"}), "unknown option '--nonsense'; see isolate --help");
  EXPECT_EQ(error({"--nonsense=\033", "true"}), "unknown option '--nonsense=\\x1b'; see isolate --help");
}

TEST_F(OptionsTest, TheErrorNamesTheWordInWhichAValueFollowsSeveralLetters) {
  EXPECT_EQ(error({"-1nested", "true"}), "-1nested: engine 'sted' is unknown; use bwrap, native, lxc or chroot");
  EXPECT_EQ(error({"-ested", "true"}), "engine 'sted' is unknown; use bwrap, native, lxc or chroot");
  EXPECT_EQ(error({"-ne", "sted", "true"}), "engine 'sted' is unknown; use bwrap, native, lxc or chroot");
}

TEST_F(OptionsTest, TheErrorNamesTheNearestOption) {
  EXPECT_EQ(error({"--deskop", "true"}), "unknown option '--deskop'; nearest: --desktop; see isolate --help");
  EXPECT_EQ(error({"--tempalte=t", "true"}), "unknown option '--tempalte=t'; nearest: --template; see isolate --help");
}

TEST_F(OptionsTest, RefusesAnOptionalValueThatIsWrittenAsTheNextWord) {
  EXPECT_EQ(error({"-z", "t", "--x11", "nested", "true"}),
            "a value of --x11 needs a '=': write --x11=nested; if nested is the command, write -- before it");
  EXPECT_EQ(error({"-z", "t", "--home", "/usr", "true"}),
            "a value of --home needs a '=': write --home=/usr; if /usr is the command, write -- before it");
  EXPECT_EQ(must(parse({"-z", "t", "--x11", "--", "nested"})).request.command, Words{"nested"});
  EXPECT_EQ(must(parse({"--x11", "-z", "t", "nested"})).request.command, Words{"nested"});
  EXPECT_EQ(must(parse({"-z", "t", "--home", "/usr/bin/env"})).request.command, Words{"/usr/bin/env"});
}

TEST_F(OptionsTest, RefusesAnEmptyValueWhereItMayBeMissing) {
  EXPECT_EQ(error({"-z", "t", "--home=", "true"}),
            "'--home=' has no value after the '='; add a value, or write --home");
}

TEST_F(OptionsTest, TheConfigurationTakesOnlyAWholePathForAHome) {
  for (const char* value : {"\"guests\"", "1", "\"\"", "\"~\""}) {
    config(std::string("home = ") + value);
    EXPECT_NE(error({"-z", "t", "true"}).find("set it to true, or to a path that begins with '/' or '~/'"),
              std::string::npos)
        << value;
  }
  config("pulse = false\ngpu = true");
  EXPECT_EQ(request({}).shares, (std::vector<ShareWish>{{"gpu", ""}}));
  config("home = \"~/guests\"");
  EXPECT_EQ(request({}).shares, (std::vector<ShareWish>{{"home", "~/guests"}}));
}

TEST_F(OptionsTest, TheErrorNamesTheOptionThatLacksAValue) {
  EXPECT_EQ(error({"-z"}), "option '-z' needs a value; see isolate --help");
  EXPECT_EQ(error({"--template"}), "option '--template' needs a value; see isolate --help");
}

TEST_F(OptionsTest, AValueForASwitchIsAnErrorThatNamesTheSwitch) {
  EXPECT_NE(error({"--share-net=yes", "-z", "t", "true"}).find("--share-net"), std::string::npos)
      << error({"--share-net=yes", "-z", "t", "true"});
  EXPECT_EQ(error({"--keep=yes", "-z", "t", "true"}), "option '--keep' takes no value; see isolate --help");
  EXPECT_EQ(error({"--desktop=x", "-z", "t", "true"}), "option '--desktop' takes no value; see isolate --help");
}

TEST_F(OptionsTest, ATemplateAndADirectoryExcludeEachOther) {
  const auto expected =
      "-t and -z exclude each other; -t DIR runs on a directory itself, -z NAME in a clone of a template";
  EXPECT_EQ(error({"-z", "t", "-t", "/usr", "true"}), expected);
  EXPECT_EQ(error({"-t", "/usr", "--template=t", "true"}), expected);
}

TEST_F(OptionsTest, ATemplateOrADirectoryIsRequired) {
  EXPECT_EQ(error({"true"}),
            "no template: name one with -z NAME or -t DIR, or set template = \"NAME\" in the configuration");
}

TEST_F(OptionsTest, ACommandIsRequired) {
  EXPECT_EQ(error({"-z", "t"}), "no command; usage: isolate [options] COMMAND [ARG...]");
  EXPECT_EQ(error({"-z", "t", ""}), "the command is an empty string; name a program");
}

TEST_F(OptionsTest, ShortSwitchesSetTheirFields) {
  EXPECT_TRUE(request({"-n"}).share_network);
  EXPECT_TRUE(request({"-i"}).ignore_interrupt);
  const auto options = must(parse({"-xq", "-z", "t", "true"}));
  EXPECT_TRUE(options.trace);
  EXPECT_TRUE(options.quiet);
}

TEST_F(OptionsTest, LongSwitchesSetTheirFields) {
  EXPECT_TRUE(request({"--share-net"}).share_network);
  EXPECT_TRUE(request({"--ignore-sigint"}).ignore_interrupt);
  EXPECT_TRUE(request({"--read-only"}).read_only);
  EXPECT_TRUE(request({"--keep"}).keep);
  EXPECT_TRUE(request({"--dry-run"}).dry_run);
  EXPECT_TRUE(request({"--timings"}).timings);
  EXPECT_TRUE(request({"--sync"}).sync);
  const auto options = must(parse({"--trace", "--quiet", "-z", "t", "true"}));
  EXPECT_TRUE(options.trace && options.quiet);
}

TEST_F(OptionsTest, AllSwitchesAreOffByDefault) {
  const auto plain = request({});
  EXPECT_FALSE(plain.share_network || plain.ignore_interrupt || plain.read_only || plain.keep || plain.dry_run ||
               plain.timings || plain.sync || plain.lasting);
  EXPECT_EQ(plain.engine, EngineKind::bwrap);
  EXPECT_EQ(plain.userns, UsernsMode::automatic);
  EXPECT_EQ(plain.working_directory, "");
  EXPECT_EQ(plain.status_fd, -1);
  EXPECT_FALSE(plain.uid_base || plain.gid_base);
}

TEST_F(OptionsTest, OptionsWithValuesSetTheirFields) {
  const auto all = request({"-e", "chroot", "-p", "/srv", "-u", "100000", "-g", "200000", "--userns=private", "--store",
                            "/var/store", "--status-fd", "7", "--cap-add=chown,KILL", "--cap-drop", "ALL"});
  EXPECT_EQ(all.engine, EngineKind::chroot);
  EXPECT_EQ(all.template_name, "t");
  EXPECT_EQ(all.working_directory, "/srv");
  EXPECT_EQ(all.uid_base, 100000U);
  EXPECT_EQ(all.gid_base, 200000U);
  EXPECT_EQ(all.userns, UsernsMode::private_range);
  EXPECT_EQ(all.store, "/var/store");
  EXPECT_EQ(all.status_fd, 7);
  EXPECT_EQ(all.added_capabilities.names(), (Words{"CAP_CHOWN", "CAP_KILL"}));
  EXPECT_EQ(all.dropped_capabilities, CapabilitySet::all());
}

TEST_F(OptionsTest, RepeatedOptionsAddUp) {
  const auto all =
      request({"-d", "/a:/b", "--bind", "/c:/d:ro", "-v", "A:1", "--env=B=2", "--cap-add=CHOWN", "--cap-add=KILL"});
  EXPECT_EQ(all.binds, (std::vector<Bind>{{"/a", "/b", false}, {"/c", "/d", true}}));
  EXPECT_EQ(all.environment, (Words{"A=1", "B=2"}));
  EXPECT_EQ(all.added_capabilities.names().size(), 2U);
}

TEST_F(OptionsTest, MalformedValuesAreRefused) {
  const std::vector<Words> wrong = {
      {"-e", "docker"},     {"-d", "/a:b"},       {"-v", "A-B"},      {"-p", "srv"},          {"-p", ""},
      {"-u", "0"},          {"-g", "-1"},         {"--userns=x"},     {"--cap-add=x"},        {"--cap-drop="},
      {"--store", "store"}, {"--status-fd", "x"}, {"--status-fd=-1"}, {"--status-fd=9999999"}};
  for (auto words : wrong) {
    const auto shown = words[0];
    for (const char* word : {"-z", "t", "true"}) words.emplace_back(word);
    EXPECT_FALSE(parse(words)) << shown;
  }
}

TEST_F(OptionsTest, AShareIsAskedForByItsLetterItsNameOrAValue) {
  using Wishes = std::vector<ShareWish>;
  const auto wishes = [](Words words) {
    for (const char* word : {"-z", "t", "true"}) words.emplace_back(word);
    return must(parse(words)).request.shares;
  };
  EXPECT_EQ(wishes({"-1"}), (Wishes{{"x11", ""}}));
  EXPECT_EQ(wishes({"--x11"}), (Wishes{{"x11", ""}}));
  EXPECT_EQ(wishes({"--x11=trusted", "-1n"}), (Wishes{{"x11", ""}})) << "a later option overrides an earlier one";
  const auto next_word = must(parse({"-z", "t", "--x11", "trust"}));
  EXPECT_EQ(next_word.request.command, Words{"trust"}) << "only '=' gives the option a value";
  EXPECT_NE(error({"--x11=all"}).find("'all'"), std::string::npos);
}

TEST_F(OptionsTest, ARefreshTakesATemplateAndANumber) {
  const auto plain = must(parse({"-r", "rpool/isolate/debisl", "5"}));
  ASSERT_TRUE(plain.refresh);
  EXPECT_EQ(plain.refresh->template_name, "rpool/isolate/debisl");
  EXPECT_EQ(plain.refresh->size, 5U);
  EXPECT_TRUE(plain.refresh->make_new);
  EXPECT_FALSE(plain.refresh->replace_all);
  const auto forced = must(parse({"-f", "-s", "--refresh=btrfs:deb"}));
  EXPECT_EQ(forced.refresh->template_name, "btrfs:deb");
  EXPECT_EQ(forced.refresh->size, std::nullopt);
  EXPECT_FALSE(forced.refresh->make_new);
  EXPECT_TRUE(forced.refresh->replace_all);
  EXPECT_FALSE(must(parse({"-z", "t", "true"})).refresh);
}

TEST_F(OptionsTest, AMalformedRefreshIsRefused) {
  EXPECT_EQ(error({"-f", "5"}), "-f and -s need -r TEMPLATE");
  EXPECT_EQ(error({"-r", "t", "5", "6"}), "-r takes one number; usage: isolate -r TEMPLATE [-f] [-s] [NUMBER]");
  for (const char* number : {"-1", "x", "05", "10001", ""}) EXPECT_FALSE(parse({"-r", "t", "--", number})) << number;
}

TEST_F(OptionsTest, ATemplateIsANameWithOrWithoutAStoreOrADataset) {
  for (const char* name : {"t", "zfs:t", "btrfs:t", "overlay:t", "pool/t", "pool/a/b/t", "zfs:pool/t"}) {
    EXPECT_EQ(must(parse({"-z", name, "true"})).request.template_name, name);
  }
  for (const char* name : {"",   ".",  "..",     "-x",   "a b", "/etc",  "../x",    "a@b", "a/../b", "a//b",
                           "/a", "a/", "ext4:t", "zfs:", ":t",  "a/b@c", "pool/-x", "a;b", "a\nb",   "pool/a%b"}) {
    EXPECT_FALSE(parse({"-z", name, "true"})) << name;
  }
}

TEST_F(OptionsTest, SymbolicLinksInADirectoryAreResolved) {
  const auto root = directory_ / "root";
  std::filesystem::create_directories(root);
  std::filesystem::create_symlink("root", directory_ / "link");
  EXPECT_EQ(must(parse({"-t", directory_ / "link/../link", "true"})).request.directory, root);
  EXPECT_EQ(error({"-t", directory_ / "none", "true"}),
            "template directory " + directory_.path() + "/none: No such file or directory");
}

TEST_F(OptionsTest, TheHostsOwnRootIsRefusedAsADirectory) {
  for (const char* path : {"/", "//", "/usr/.."}) {
    EXPECT_EQ(error({"-t", path, "true"}),
              "template directory '/' is the host's own root; give the directory of another root")
        << path;
  }
}

TEST_F(OptionsTest, KeepNeedsAClone) {
  EXPECT_EQ(error({"-t", "/usr", "--keep", "true"}),
            "--keep needs -z; with -t there is no clone, and changes stay in the directory");
}

TEST_F(OptionsTest, HelpAndVersionNeedNeitherTemplateNorCommand) {
  EXPECT_TRUE(must(parse({"--help"})).help);
  EXPECT_TRUE(must(parse({"-h"})).help);
  EXPECT_TRUE(must(parse({"--version"})).version);
}

TEST_F(OptionsTest, TheHelpListsTheOptions) {
  const auto help = help_text();
  for (const char* name : {"-e, --engine", "-z, --template", "-t, --template-dir", "-d, --bind", "-v, --env",
                           "--cap-drop", "--status-fd", "--dry-run", "-1, --x11", "-r, --refresh", "--version"}) {
    EXPECT_NE(help.find(name), std::string::npos) << name;
  }
}

TEST_F(OptionsTest, HooksComeFromTheEnvironment) {
  const test::ScopedVariable pre("PRE_SPAWN_HOOK", "echo pre");
  const test::ScopedVariable post("POST_SPAWN_HOOK", nullptr);
  EXPECT_EQ(request({}).pre_hook, "echo pre");
  EXPECT_EQ(request({}).post_hook, "");
}

TEST_F(OptionsTest, TheCommandLineOverridesTheConfiguration) {
  config("template = \"debian\"\nengine = \"chroot\"\nquiet = true\n");
  const auto configured = must(parse({"true"}));
  EXPECT_EQ(configured.request.template_name, "debian");
  EXPECT_EQ(configured.request.engine, EngineKind::chroot);
  EXPECT_TRUE(configured.quiet);
  EXPECT_EQ(must(parse({"-e", "bwrap", "-z", "t", "true"})).request.engine, EngineKind::bwrap);
  const auto directory = must(parse({"-t", "/usr", "true"})).request;
  EXPECT_EQ(directory.directory, "/usr");
  EXPECT_EQ(directory.template_name, "");
}

}  // namespace
}  // namespace isolate
