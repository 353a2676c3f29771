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

// Returns the path of a program in the root, or an empty string if the root does not have it. The layers are searched
// one by one, because no overlay is mounted yet. If an upper layer has removed the file, it contains a whiteout, a
// character device with the number 0:0 (the kernel's overlayfs documentation). Both folders are tried in each layer,
// since /bin may be a link to /usr/bin that only a lower layer contains.
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

// A shell with job control has made its own process group the terminal's foreground group. That group has ended, and
// this process would be stopped when it reads from the terminal in the background.
void take_foreground() {
  const auto before = ::signal(SIGTTOU, SIG_IGN);
  // If this fails, reading the answer fails too, and ask_whether_to_keep() returns Answer::later.
  [[maybe_unused]] const int taken = ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
  ::signal(SIGTTOU, before);
}

}  // namespace

Result<EditShell> shell_of(const std::string& template_name, const std::vector<std::string>& directories,
                           bool on_terminal) {
  if (const auto bash = find_program(directories, "bash"); !bash.empty()) {
    EditShell shell{{bash, "-l"}, {}};
    // PS1 in the environment would have no effect, because files such as /etc/bash.bashrc set it again. bash runs
    // PROMPT_COMMAND before each prompt, that is, after those files.
    if (on_terminal) {
      shell.environment.push_back(fmt::format(
          R"(PROMPT_COMMAND=case $PS1 in "[edit {0}] "*) ;; *) PS1="[edit {0}] $PS1" ;; esac)", template_name));
    }
    return shell;
  }
  if (find_program(directories, "sh").empty()) {
    return fail("template '" + template_name + "' has no shell; give a command after --");
  }
  if (!on_terminal) return EditShell{{"/bin/sh", "-l"}, {}};
  // /etc/profile sets PS1. One shell reads the file and changes PS1; then it starts the shell that shows the prompt.
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
    // If writing to the terminal fails, reading from it fails as well, and that is handled below.
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
