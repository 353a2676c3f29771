#include "store/zfs_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"

namespace isolate::zfs {
namespace {

// Does not search PATH: the caller's environment must not choose a program that runs as root.
Result<std::string> find_program() {
  auto path = first_executable({"/usr/sbin/zfs", "/sbin/zfs", "/usr/local/sbin/zfs"});
  if (!path.empty()) return path;
  return fail("zfs is not installed; install it (Debian: apt-get install zfsutils-linux, of contrib)");
}

int code_of(std::string_view complaint) {
  struct Words {
    std::string_view text;
    int code;
  };
  constexpr std::array<Words, 6> kWords = {{{"dataset does not exist", ENOENT},
                                            {"could not find any snapshots", ENOENT},
                                            {"busy", EBUSY},
                                            {"dataset already exists", EEXIST},
                                            {"out of space", ENOSPC},
                                            {"permission denied", EACCES}}};
  for (const auto& words : kWords) {
    if (complaint.find(words.text) != std::string_view::npos) return words.code;
  }
  return 0;
}

}  // namespace

Result<Output> execute(const std::string& program, const std::vector<std::string>& arguments) {
  constexpr std::size_t kMost = 256 << 20;  // the properties of a million datasets
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  // A fault at these points kills the command, either before it has done anything or after it has done everything.
  const auto point = [&arguments](const char* moment) { return "zfs-" + arguments[0] + moment; };
  const auto begun = [&point](const ChildProcess& command) {
    if (injected_fault(point("-begun").c_str())) command.signal(SIGKILL);
  };
  auto output = TRY(run_program(argv, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, begun, kMost));
  if (injected_fault(point("-done").c_str())) output.status = {true, SIGKILL};
  trace::line(program.substr(program.rfind('/') + 1) + " " + text::join(arguments, " ") +
              (output.status.success() ? "" : " failed"));
  if (output.out.size() >= kMost) return fail("the output of zfs " + arguments[0] + " is longer than 256 MiB");
  return output;
}

// The output of a killed program is no explanation.
Error was_ended(const std::string& name, const std::vector<std::string>& arguments, int signal) {
  return Error(fmt::format("{} {} {} was ended by signal {}", name, arguments[0], arguments.back(), signal))
      .advise("try again");
}

Result<std::string> run(const std::vector<std::string>& arguments) {
  auto output = TRY(execute(TRY(find_program()), arguments));
  if (output.status.success()) return std::move(output.out);
  if (output.status.signalled) return fail(was_ended("zfs", arguments, output.status.value));
  if (const int code = code_of(output.err); code != 0)
    return fail(code, "zfs " + arguments[0] + " " + arguments.back());
  const auto complaint = text::printable(output.err.substr(0, output.err.find('\n')));
  return fail("zfs " + arguments[0] + ": " + (complaint.empty() ? output.status.describe() : complaint));
}

std::string Dataset::value(const std::string& property) const {
  const auto found = properties.find(property);
  return found == properties.end() || found->second.value == "-" ? std::string() : found->second.value;
}

std::string Dataset::own(const std::string& property) const {
  const auto found = properties.find(property);
  return found == properties.end() || !found->second.is_local ? std::string() : found->second.value;
}

Result<std::vector<Dataset>> get(const std::string& dataset, int depth, const std::string& properties) {
  const auto output = TRY(run(
      {"get", "-H", "-p", "-r", "-d", std::to_string(depth), "-o", "name,property,value,source", properties, dataset}));
  std::vector<Dataset> datasets;
  for (const auto& line : text::split(output, '\n')) {
    const auto fields = text::split(line, '\t');
    if (fields.size() != 4) continue;
    if (datasets.empty() || datasets.back().name != fields[0]) datasets.push_back({fields[0], {}});
    datasets.back().properties[fields[1]] = {fields[2], fields[3] == "local", fields[3] == "temporary"};
  }
  return datasets;
}

Result<void> check_dataset_name(std::string_view name) {
  constexpr std::string_view kMore = "_-:.";
  const auto parts = text::split(name, '/');
  const bool is_one =
      name.size() <= 200 && std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
        const auto is_letter = [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        };
        return !part.empty() && is_letter(part.front()) && std::all_of(part.begin(), part.end(), [&](char c) {
          return is_letter(c) || kMore.find(c) != std::string_view::npos;
        });
      });
  if (is_one) return {};
  return fail("'" + text::printable(name.substr(0, 60)) + "' is not the name of a ZFS dataset: POOL/PATH");
}

}  // namespace isolate::zfs
