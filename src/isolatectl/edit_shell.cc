#include "isolatectl/edit_shell.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "isolatectl/interruption.h"
#include "linux/file.h"
#include "linux/root_path.h"

namespace isolate {
namespace {

// Where the root has the program; empty: nowhere. What an upper layer has removed is a whiteout there (a character
// device 0:0), and /bin may be a link to /usr/bin that only a lower layer has.
std::string find_program(const std::vector<std::string>& directories, const std::string& name) {
  for (const auto& directory : directories) {
    const Fd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) continue;
    for (const char* folder : {"/bin/", "/usr/bin/"}) {
      const auto found = root_path::open(root.get(), folder + name, O_PATH | O_NOFOLLOW);
      if (!found) continue;
      const auto status = status_of(found->get(), "", AT_EMPTY_PATH);
      const bool is_whiteout = status && S_ISCHR(status->st_mode) && status->st_rdev == 0;
      return is_whiteout ? "" : folder + name;
    }
  }
  return "";
}

// A shell with job control leaves the terminal to its own process group, which has ended.
void take_foreground() {
  const auto before = ::signal(SIGTTOU, SIG_IGN);
  // Where this fails, reading fails as well, which is no answer.
  [[maybe_unused]] const int taken = ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
  ::signal(SIGTTOU, before);
}

}  // namespace

Result<EditShell> shell_of(const std::string& template_name, const std::vector<std::string>& directories,
                           bool on_terminal) {
  if (const auto bash = find_program(directories, "bash"); !bash.empty()) {
    EditShell shell{{bash, "-l"}, {}};
    // Files such as /etc/bash.bashrc set PS1 after the environment has; bash runs this before each prompt.
    if (on_terminal) {
      shell.environment.push_back(fmt::format(
          R"(PROMPT_COMMAND=case $PS1 in "[edit {0}] "*) ;; *) PS1="[edit {0}] $PS1" ;; esac)", template_name));
    }
    return shell;
  }
  if (find_program(directories, "sh").empty()) {
    return fail("template '" + template_name + "' has no shell; name a command behind --");
  }
  if (!on_terminal) return EditShell{{"/bin/sh", "-l"}, {}};
  // /etc/profile, which sets PS1, is read before the shell that shows it is started.
  return EditShell{
      {"/bin/sh", "-c",
       fmt::format(R"([ ! -r /etc/profile ] || . /etc/profile; PS1="[edit {}] ${{PS1:-# }}"; export PS1; exec )"
                   "/bin/sh",
                   template_name)},
      {}};
}

Answer ask_whether_to_keep(const std::string& template_name) {
  Interruption::catch_signals();
  take_foreground();
  while (true) {
    const auto question = fmt::format("Keep the changes to template {}? [Y/n/later] ", template_name);
    // A terminal that can't be written to can't be read from either, which is noticed below.
    [[maybe_unused]] auto asked = write_all(STDERR_FILENO, question, "terminal");
    char line[64];
    const bool is_answered = Interruption::wait_until_readable(STDIN_FILENO).has_value();
    if (!is_answered || ::read(STDIN_FILENO, line, sizeof line) <= 0) {
      [[maybe_unused]] auto ended = write_all(STDERR_FILENO, "\n", "terminal");
      return Answer::later;
    }
    switch (line[0]) {
      case '\n':
      case 'y':
      case 'Y':
        return Answer::keep;
      case 'n':
      case 'N':
        return Answer::drop;
      case 'l':
      case 'L':
        return Answer::later;
      default:
        break;
    }
  }
}

}  // namespace isolate
