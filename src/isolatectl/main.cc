// isolatectl: templates, clones and leases of the caller's own store.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/verbs.h"
#include "linux/signal_reset.h"
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
  std::function<Result<int>(Context&)> verb;
};

// A verb that has no exit status of its own.
template <typename Body>
std::function<Result<int>(Context&)> plain(Body body) {
  return [body](Context& context) -> Result<int> {
    TRY_VOID(body(context));
    return 0;
  };
}

void add_create(CLI::App* parent, CommandLine* line) {
  auto* verb = parent->add_subcommand("create", "make a template of a Debian release, a directory or a tar archive");
  verb->add_option("NAME", line->create.name)->required();
  verb->add_option("--from", line->create.from,
                   "debian:bookworm, debian:trixie, DIR, TARBALL, or - for a tarball on standard input")
      ->required();
  verb->add_option("--mirror", line->create.mirrors,
                   "where packages come from (default: as the host's apt); repeatable");
  verb->add_option("--variant", line->create.variant, "mmdebstrap's variant (default minbase)");
  verb->add_option("--include", line->create.include, "more packages, separated by commas")->delimiter(',');
  verb->add_flag("--force", line->create.force, "also of a source that does not look like a Linux root");
  verb->callback(
      [line] { line->verb = plain([line](Context& context) { return create_template(context, line->create); }); });
}

void add_edit(CLI::App* parent, CommandLine* line) {
  auto* verb = parent->add_subcommand("edit",
                                      "a root shell in the template, or COMMAND behind --; its changes become the next "
                                      "generation when it ends with 0, or as you answer after a shell");
  auto& options = line->edit;
  verb->add_option("NAME", options.name)->required();
  verb->add_option("COMMAND", options.command, "command and arguments, behind --");
  verb->add_option("-v,--env", options.variables, "NAME=VALUE, or NAME for its value outside; repeatable")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* go_on = verb->add_flag("--continue", options.go_on, "go on with the changes that an earlier edit has left");
  auto* publish = verb->add_flag("--publish", options.publish, "make those changes the next generation as they are");
  auto* discard = verb->add_flag("--discard", options.discard, "drop those changes");
  go_on->excludes(publish)->excludes(discard);
  publish->excludes(discard);
  verb->callback([line] { line->verb = [line](Context& context) { return edit_template(context, line->edit); }; });
}

void add_gc(CLI::App* parent, CommandLine* line) {
  auto* verb =
      parent->add_subcommand("gc", "remove what ended runs and interrupted commands have left, and old generations");
  verb->add_flag("--kept", line->kept, "remove clones kept with isolate --keep, too");
  verb->callback(
      [line] { line->verb = plain([line](Context& context) { return collect_garbage(context, line->kept); }); });
}

void add_template_verbs(CLI::App* app, CommandLine* line) {
  auto* templates = app->add_subcommand("template", "templates: roots that clones are made of");
  templates->require_subcommand(1)->fallthrough();
  add_create(templates, line);
  add_edit(templates, line);
  auto* list = templates->add_subcommand("list", "all templates");
  list->add_flag("--size", line->with_size, "with what each takes on disk, for which all of its files are looked at");
  list->callback(
      [line] { line->verb = plain([line](Context& context) { return list_templates(context, line->with_size); }); });
  auto* show = templates->add_subcommand("show", "one template, with what it takes on disk");
  show->add_option("NAME", line->name)->required();
  show->callback(
      [line] { line->verb = plain([line](Context& context) { return show_template(context, line->name); }); });
  auto* snapshot = templates->add_subcommand("snapshot", "make the template as it is now its next generation");
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
  auto* pools = app->add_subcommand("pool", "clones kept ready");
  pools->require_subcommand(1)->fallthrough();
  pools->add_subcommand("list", "all pools")->callback([line] {
    line->verb = plain([](Context& context) { return list_pools(context, ""); });
  });
  auto* status = pools->add_subcommand("status", "one pool");
  status->add_option("NAME", line->name)->required();
  status->callback(
      [line] { line->verb = plain([line](Context& context) { return list_pools(context, line->name); }); });
  auto* resize = pools->add_subcommand("resize", "keep NUMBER fresh clones ready from now on");
  resize->add_option("NAME", line->name)->required();
  resize->add_option("NUMBER", line->size)->required()->check(CLI::Range(0U, 10000U));
  resize->callback([line] {
    line->verb = plain([line](Context& context) { return resize_pool(context, line->name, line->size); });
  });
  auto* drain = pools->add_subcommand("drain", "keep none, and destroy those that nobody uses");
  drain->add_option("NAME", line->name)->required();
  drain->callback(
      [line] { line->verb = plain([line](Context& context) { return resize_pool(context, line->name, 0); }); });
  auto* range = pools->add_subcommand("range", "the ids to which a template's files belong, for members to name by -u");
  range->add_option("NAME", line->name)->required();
  range->add_option("BASE", line->uid_base, "the first of 65536 users, or none; without: print it");
  range->add_option("GID_BASE", line->gid_base, "the first of as many groups (default: BASE)");
  range->callback([line] {
    line->verb =
        plain([line](Context& context) { return range_of_pool(context, line->name, line->uid_base, line->gid_base); });
  });
  for (auto* verb : pools->get_subcommands({})) verb->fallthrough();
}

void add_lease_verbs(CLI::App* app, CommandLine* line) {
  auto* ps = app->add_subcommand("ps", "running leases: user, template, engine, age, disk, and what the guest uses")
                 ->fallthrough();
  ps->add_flag("--kept", line->kept, "the clones kept with isolate --keep instead");
  ps->callback([line] { line->verb = plain([line](Context& context) { return list_leases(context, line->kept); }); });
  auto* kill = app->add_subcommand("kill", "end a running lease")->fallthrough();
  kill->add_option("LEASE", line->name, "its clone, as ps shows it")->required();
  kill->callback([line] { line->verb = plain([line](Context& context) { return kill_lease(context, line->name); }); });
}

void add_exec(CLI::App* app, CommandLine* line) {
  auto& options = line->exec;
  auto* exec = app->add_subcommand("exec", "run a command in a running lease")->fallthrough();
  exec->add_flag("-t,--tty", options.own_terminal,
                 "with a terminal of its own, also where standard input and output are none");
  exec->add_option("-p,--directory", options.directory, "working directory in the guest (default: that of the run)");
  exec->add_option("-v,--variable", options.variables,
                   "NAME=VALUE, or NAME for its value outside, added to the run's; repeatable")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  exec->add_option("LEASE", options.lease, "its clone, as ps shows it")->required();
  exec->footer("What stands behind LEASE is COMMAND [ARG...], with options of its own.");
  exec->callback([line] {
    if (line->exec.command.empty()) throw CLI::RequiredError("COMMAND");
    line->verb = [line](Context& context) -> Result<int> { return exec_in_lease(context, line->exec); };
  });
}

// The arguments of isolatectl, without what stands behind the lease of `exec`: that is the command's, options too.
std::vector<std::string> own_words(int argc, char** argv, CommandLine* line) {
  static constexpr std::array kWithValue = {"--store", "-p", "--directory", "-v", "--variable"};
  std::vector<std::string> words(argv + 1, argv + argc);
  for (auto word = words.begin(); word != words.end() && *word != "--"; ++word) {
    if (std::find(kWithValue.begin(), kWithValue.end(), *word) != kWithValue.end()) {
      if (++word == words.end()) break;
    } else if (word->starts_with("-")) {
      continue;
    } else if (!line->is_exec) {
      line->is_exec = *word == "exec";
      if (!line->is_exec) break;
    } else {
      auto command = word + 1;
      if (command != words.end() && *command == "--") command = words.erase(command);
      line->exec.command.assign(command, words.end());
      words.erase(command, words.end());
      break;
    }
  }
  return words;
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
  CLI::App app{"Templates, clones and leases of isolate"};
  app.name("isolatectl");
  app.require_subcommand(1)->fallthrough();
  app.set_version_flag("--version", "isolatectl " ISOLATE_VERSION);
  app.add_option("--store", line.stores, "where templates and clones are: /DIR, btrfs:/DIR or zfs:POOL/PATH")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--json", line.json, "print lists as JSON");
  app.add_flag("-q,--quiet", line.quiet, "print only warnings and errors");
  add_template_verbs(&app, &line);
  add_pool_verbs(&app, &line);
  add_gc(&app, &line);
  add_lease_verbs(&app, &line);
  add_exec(&app, &line);
  app.add_subcommand("status", "whether the daemon isolated runs")->fallthrough()->callback([&line] {
    line.verb = show_status;
  });
  auto resolved = resolve_words(app, own_words(argc, argv, &line));
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
    std::reverse(resolved->words.begin(), resolved->words.end());  // as it takes them
    app.parse(std::move(resolved->words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help and version
    log::set_up("isolatectl", false);
    log::error(std::string(error.what()) + "; see isolatectl --help");
    return line.is_exec ? kOwnFailure : 1;
  }
  return run_verb(line);
}

}  // namespace
}  // namespace isolate

int main(int argc, char** argv) {
  isolate::survive_file_size_limit();
  // CLI11 and the standard library report by exceptions; nothing of ours throws.
  try {
    return isolate::main_with_exceptions(argc, argv);
  } catch (const std::exception& error) {
    isolate::log::error(error.what());
    return 1;
  }
}
