// isolatectl: manages templates, pools, clones and leases. This file defines the command line; commands.h has the
// verbs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/verbs.h"
#include "linux/signal_reset.h"
#include "linux/stream.h"
#include "supervise/outcome.h"

namespace isolate {

namespace {

struct CommandLine {
  std::vector<std::string> stores;
  bool json = false;
  bool quiet = false;
  bool kept = false;
  bool with_size = false;
  std::string name;
  unsigned size = 0;
  std::string uid_base;
  std::string gid_base;
  CreateOptions create;
  EditOptions edit;
  bool is_exec = false;
  ExecOptions exec;
  WarmOptions warm;
  LauncherOptions launcher;
  std::function<Result<int>(Context&)> verb;
};

// Turns a function that returns only an error into a verb, whose exit status is 0 on success.
template <typename Body>
std::function<Result<int>(Context&)> plain(Body body) {
  return [body](Context& context) -> Result<int> {
    TRY_VOID(body(context));
    return 0;
  };
}

void add_create(CLI::App* parent, CommandLine* line) {
  auto* verb = parent->add_subcommand("create", "make a template from a Debian release, a directory or a tar archive");
  verb->add_option("NAME", line->create.name)->required();
  verb->add_option("--from", line->create.from,
                   "debian:bookworm, debian:trixie, DIR, TARBALL, or - for a tarball on standard input")
      ->required();
  verb->add_option("--mirror", line->create.mirrors,
                   "where packages come from (default: the mirrors of the host's apt); repeatable");
  verb->add_option("--variant", line->create.variant, "mmdebstrap's variant (default minbase)");
  verb->add_option("--include", line->create.include, "more packages, separated by commas")->delimiter(',');
  verb->add_flag("--force", line->create.force, "accept a source that does not look like a Linux root");
  verb->callback(
      [line] { line->verb = plain([line](Context& context) { return create_template(context, line->create); }); });
}

void add_edit(CLI::App* parent, CommandLine* line) {
  auto* verb = parent->add_subcommand("edit",
                                      "open a root shell in the template, or run COMMAND; its changes become the next "
                                      "generation if COMMAND ends with status 0, or if you agree after the shell");
  auto& options = line->edit;
  verb->add_option("NAME", options.name)->required();
  verb->add_option("COMMAND", options.command, "command and arguments, after --");
  verb->add_option("-v,--env", options.variables, "NAME=VALUE, or NAME to copy your own value; repeatable")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* go_on = verb->add_flag("--continue", options.go_on, "continue with the unpublished changes of an earlier edit");
  auto* publish = verb->add_flag("--publish", options.publish, "make those changes the next generation as they are");
  auto* discard = verb->add_flag("--discard", options.discard, "discard those changes");
  go_on->excludes(publish)->excludes(discard);
  publish->excludes(discard);
  verb->callback([line] { line->verb = [line](Context& context) { return edit_template(context, line->edit); }; });
}

void add_gc(CLI::App* parent, CommandLine* line) {
  auto* verb =
      parent->add_subcommand("gc", "remove leftovers of ended runs and interrupted commands, and old generations");
  verb->add_flag("--kept", line->kept, "also remove clones that were kept with isolate --keep");
  verb->callback(
      [line] { line->verb = plain([line](Context& context) { return collect_garbage(context, line->kept); }); });
}

void add_template_verbs(CLI::App* app, CommandLine* line) {
  auto* templates = app->add_subcommand("template", "manage templates, the roots that clones are made from");
  templates->require_subcommand(1)->fallthrough();
  add_create(templates, line);
  add_edit(templates, line);
  auto* list = templates->add_subcommand("list", "list all templates");
  list->add_flag("--size", line->with_size, "show what each takes on disk; slow, since it looks at every file");
  list->callback(
      [line] { line->verb = plain([line](Context& context) { return list_templates(context, line->with_size); }); });
  auto* show = templates->add_subcommand("show", "show one template, and what it takes on disk");
  show->add_option("NAME", line->name)->required();
  show->callback(
      [line] { line->verb = plain([line](Context& context) { return show_template(context, line->name); }); });
  auto* snapshot = templates->add_subcommand("snapshot", "make the template's present state its next generation");
  snapshot->add_option("NAME", line->name)->required();
  snapshot->callback(
      [line] { line->verb = plain([line](Context& context) { return snapshot_template(context, line->name); }); });
  auto* remove = templates->add_subcommand("remove", "remove a template that is not in use");
  remove->add_option("NAME", line->name)->required();
  remove->callback(
      [line] { line->verb = plain([line](Context& context) { return remove_template(context, line->name); }); });
  add_gc(templates, line);
  for (auto* verb : templates->get_subcommands({})) verb->fallthrough();
}

void add_pool_verbs(CLI::App* app, CommandLine* line) {
  auto* pools = app->add_subcommand("pool", "manage pools, which keep fresh clones ready");
  pools->require_subcommand(1)->fallthrough();
  pools->add_subcommand("list", "list all pools")->callback([line] {
    line->verb = plain([](Context& context) { return list_pools(context, ""); });
  });
  auto* status = pools->add_subcommand("status", "show one pool");
  status->add_option("NAME", line->name)->required();
  status->callback(
      [line] { line->verb = plain([line](Context& context) { return list_pools(context, line->name); }); });
  auto* resize = pools->add_subcommand("resize", "keep NUMBER fresh clones ready from now on");
  resize->add_option("NAME", line->name)->required();
  resize->add_option("NUMBER", line->size)->required()->check(CLI::Range(0U, 10000U));
  resize->callback([line] {
    line->verb = plain([line](Context& context) { return resize_pool(context, line->name, line->size); });
  });
  auto* drain = pools->add_subcommand("drain", "keep no fresh clones, and destroy those that nobody uses");
  drain->add_option("NAME", line->name)->required();
  drain->callback([line] { line->verb = plain([line](Context& context) { return drain_pool(context, line->name); }); });
  auto* range = pools->add_subcommand("range", "register the ids that a template's files belong to, for isolate -u");
  range->add_option("NAME", line->name)->required();
  range->add_option("BASE", line->uid_base, "the first of 65536 user ids, or none; without BASE: print the range");
  range->add_option("GID_BASE", line->gid_base, "the first of 65536 group ids (default: BASE)");
  range->callback([line] {
    line->verb =
        plain([line](Context& context) { return range_of_pool(context, line->name, line->uid_base, line->gid_base); });
  });
  for (auto* verb : pools->get_subcommands({})) verb->fallthrough();
}

void add_lease_verbs(CLI::App* app, CommandLine* line) {
  auto* ps =
      app->add_subcommand("ps", "list running leases: user, template, engine, age, disk, and what the guest uses")
          ->fallthrough();
  ps->add_flag("--kept", line->kept, "list the clones that were kept with isolate --keep instead");
  ps->callback([line] { line->verb = plain([line](Context& context) { return list_leases(context, line->kept); }); });
  auto* kill = app->add_subcommand("kill", "end a running lease")->fallthrough();
  kill->add_option("LEASE", line->name, "the name of its clone, as ps shows it")->required();
  kill->callback([line] { line->verb = plain([line](Context& context) { return kill_lease(context, line->name); }); });
}

void add_exec(CLI::App* app, CommandLine* line) {
  auto& options = line->exec;
  auto* exec = app->add_subcommand("exec", "run a command in a running lease")->fallthrough();
  exec->add_flag("-t,--tty", options.own_terminal,
                 "give the command a terminal of its own even if standard input or output is no terminal");
  exec->add_option("-p,--directory", options.directory, "working directory in the guest (default: that of the run)");
  exec->add_option("-v,--variable", options.variables,
                   "add NAME=VALUE, or NAME with your own value, to the run's environment; repeatable")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  exec->add_option("LEASE", options.lease, "the name of its clone, as ps shows it")->required();
  exec->footer("COMMAND [ARG...] follows LEASE. Options after LEASE belong to COMMAND.");
  exec->callback([line] {
    if (line->exec.command.empty()) throw CLI::RequiredError("COMMAND");
    line->verb = [line](Context& context) -> Result<int> { return exec_in_lease(context, line->exec); };
  });
}

void add_warm(CLI::App* app, CommandLine* line) {
  auto* warm = app->add_subcommand("warm", "keep NUMBER guests ready, for runs that start at once")->fallthrough();
  warm->add_option("TEMPLATE", line->warm.template_name)->required();
  warm->add_option("NUMBER", line->warm.size)->required()->check(CLI::Range(1U, 10000U));
  warm->footer("Options of isolate follow NUMBER. A run takes such a guest if it has the same options.");
  warm->callback([line] { line->verb = plain([line](Context& context) { return keep_warm(context, line->warm); }); });
}

void add_launcher_verbs(CLI::App* app, CommandLine* line) {
  auto* launchers = app->add_subcommand("launcher", "manage launchers, which start a command from the desktop's menu");
  launchers->require_subcommand(1)->fallthrough();
  auto* create = launchers->add_subcommand(
      "create", "write a .desktop file that starts COMMAND in a fresh clone, with isolate --desktop");
  auto& options = line->launcher;
  create->add_option("NAME", options.name)->required();
  create->add_option("--template", options.template_name, "the template of the clone")->required();
  create->add_flag("-n,--share-net", options.share_net, "share the host's network, as isolate -n does");
  create->add_option("--home", options.home, "use this directory as the home, as isolate --home=DIR does");
  create->add_option("--icon", options.icon,
                     "a PNG or SVG file, or the name of an icon (default: the template's icon)");
  create->add_option("COMMAND", options.command, "command and arguments, after --")->required();
  create->callback(
      [line] { line->verb = plain([line](Context& context) { return create_launcher(context, line->launcher); }); });
  launchers->add_subcommand("list", "list all launchers")->callback([line] { line->verb = plain(list_launchers); });
  auto* remove = launchers->add_subcommand("remove", "remove a launcher and its icons");
  remove->add_option("NAME", line->name)->required();
  remove->callback(
      [line] { line->verb = plain([line](Context& context) { return remove_launcher(context, line->name); }); });
  for (auto* verb : launchers->get_subcommands({})) verb->fallthrough();
}

// Returns the arguments for CLI11. Everything after LEASE of `exec` is the command, and everything after NUMBER of
// `warm` are options of isolate. Both go to `line` instead, because CLI11 would take those options for its own.
std::vector<std::string> split_off_command(int argc, char** argv, CommandLine* line) {
  static constexpr std::array kWithValue = {"--store", "-p", "--directory", "-v", "--variable"};
  std::vector<std::string> words(argv + 1, argv + argc);
  std::vector<std::string>* rest = nullptr;
  int places = 0;  // words that belong to the verb before the rest begins
  for (auto word = words.begin(); word != words.end() && *word != "--"; ++word) {
    if (std::find(kWithValue.begin(), kWithValue.end(), *word) != kWithValue.end()) {
      if (++word == words.end()) break;
    } else if (word->starts_with("-")) {
      continue;
    } else if (rest == nullptr) {
      line->is_exec = *word == "exec";
      if (!line->is_exec && *word != "warm") break;
      rest = line->is_exec ? &line->exec.command : &line->warm.options;
      places = line->is_exec ? 1 : 2;
    } else if (--places == 0) {
      auto begin = word + 1;
      if (begin != words.end() && *begin == "--") begin = words.erase(begin);
      rest->assign(begin, words.end());
      words.erase(begin, words.end());
      break;
    }
  }
  return words;
}

void add_all_verbs(CLI::App* app, CommandLine* line) {
  add_template_verbs(app, line);
  add_pool_verbs(app, line);
  add_gc(app, line);
  add_lease_verbs(app, line);
  add_exec(app, line);
  add_warm(app, line);
  add_launcher_verbs(app, line);
  app->add_subcommand("status", "show whether the daemon isolated runs")->fallthrough()->callback([line] {
    line->verb = show_status;
  });
}

int run_verb(const CommandLine& line) {
  log::set_up("isolatectl", line.quiet);
  auto context = Context::open(line.stores, line.json, line.quiet);
  Result<int> status = context ? line.verb(**context) : Result<int>(fail(std::move(context).error()));
  if (status) return *status;
  log::error(status.error().message());
  return 1;
}

int main_with_exceptions(int argc, char** argv) {
  CommandLine line;
  auto words = split_off_command(argc, argv, &line);
  CLI::App app{"Manages templates, pools, clones and running leases of isolate."};
  app.name("isolatectl");
  app.require_subcommand(1)->fallthrough();
  app.set_version_flag("--version", "isolatectl " ISOLATE_VERSION);
  app.add_option("--store", line.stores, "the store of templates and clones: /DIR, btrfs:/DIR or zfs:POOL/PATH")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--json", line.json, "print lists as JSON");
  app.add_flag("-q,--quiet", line.quiet, "print only warnings and errors");
  // Scripts call isolatectl exec for many short commands. Describing all verbs to CLI11 would double its time.
  line.exec.command.empty() ? add_all_verbs(&app, &line) : add_exec(&app, &line);
  auto resolved = resolve_words(app, std::move(words));
  if (!resolved) {
    log::set_up("isolatectl", false);
    log::error(resolved.error().message());
    return 1;
  }
  if (resolved->unfinished != nullptr) {
    std::cerr << overview(*resolved->unfinished);
    return 1;
  }
  try {
    std::reverse(resolved->words.begin(), resolved->words.end());  // CLI11 takes the words from the end of the vector
    app.parse(std::move(resolved->words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help and version
    log::set_up("isolatectl", false);
    const bool is_launcher = !line.is_exec && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) &&
                             app.got_subcommand("launcher");
    const char* advice = is_launcher ? "; write -- before the command and its options" : "";
    log::error(std::string(error.what()) + advice + "; see isolatectl --help");
    return line.is_exec ? kOwnFailure : 1;
  }
  return run_verb(line);
}

}  // namespace
}  // namespace isolate

int main(int argc, char** argv) {
  isolate::open_standard_descriptors();
  isolate::survive_file_size_limit();
  // isolate's own code does not throw, but CLI11 and the standard library do.
  try {
    return isolate::main_with_exceptions(argc, argv);
  } catch (const std::exception& error) {
    isolate::log::error(error.what());
    return 1;
  }
}
