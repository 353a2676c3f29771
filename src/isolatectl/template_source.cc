#include "isolatectl/template_source.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "base/text.h"
#include "isolatectl/interruption.h"
#include "isolatectl/root_check.h"
#include "isolatectl/tool.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr std::string_view kDebianPrefix = "debian:";

// tar copies only the attributes that are named here. user.overlay.* is excluded: when the layer becomes part of an
// overlay, the kernel would take these attributes as its own, and hide files or show files from another place.
const std::vector<std::string>& attribute_options() {
  static const std::vector<std::string> kOptions = {"--acls", "--xattrs", "--xattrs-include=user.*",
                                                    "--xattrs-include=security.capability",
                                                    "--xattrs-exclude=user.overlay.*"};
  return kOptions;
}

std::vector<std::string> with_attribute_options(std::vector<std::string> command,
                                                const std::vector<std::string>& rest) {
  command.insert(command.end(), attribute_options().begin(), attribute_options().end());
  command.insert(command.end(), rest.begin(), rest.end());
  return command;
}

// The command of tar that unpacks an archive from its standard input.
std::vector<std::string> extract_command(const std::string& layer, const std::string& decompressor, bool keep_owners) {
  std::vector<std::string> command = {"tar",
                                      "--extract",
                                      "--directory",
                                      layer,
                                      "--file",
                                      "-",
                                      "--numeric-owner",
                                      "--same-permissions",
                                      keep_owners ? "--same-owner" : "--no-same-owner"};
  if (!decompressor.empty()) command.push_back("--use-compress-program=" + decompressor);
  // Leave out the content of /dev: each run gets a new /dev, and an ordinary user can't make device nodes.
  return with_attribute_options(std::move(command), {"--anchored", "--exclude=./dev/*", "--exclude=dev/*"});
}

std::vector<std::string> pack_command(const std::string& directory) {
  return with_attribute_options(
      {"tar", "--create", "--sparse", "--directory", directory, "--file", "-", "--numeric-owner", "--one-file-system"},
      {"--anchored", "--exclude=./dev/*", "."});
}

bool keeps_owners(OwnerNamespace* owner) { return owner->caller().is_root() || owner->ids().has_range(); }

// Writes an archive to a descriptor.
struct Producer {
  std::function<Result<void>(int out)> write;
  bool as_owner = false;  // run it in the user namespace of the store's owner, where their ids are those of a guest
};

// Runs the producer and tar at the two ends of a pipe. tar unpacks the archive as the owner of the store's files.
Result<void> pipe_into_layer(const Producer& producer, const std::vector<std::string>& extract, OwnerNamespace* owner,
                             Progress* progress) {
  auto archive = TRY(make_pipe("template"));
  const int user_namespace = TRY(owner->descriptor());
  auto consumer = TRY(start_as_owner(user_namespace, [&] {
    archive.write.reset();
    return run_tool("tar", extract, archive.read.get(), -1, progress);
  }));
  archive.read.reset();
  auto producing =
      TRY(start_as_owner(producer.as_owner ? user_namespace : -1, [&] { return producer.write(archive.write.get()); }));
  auto produced = finish(&producing);
  pollfd consumer_end{consumer.process().pidfd(), POLLIN, 0};
  const bool producer_ended_first = ::poll(&consumer_end, 1, 0) == 0;
  // This process has held the pipe's write end open until here. tar therefore sees the end of the archive only now, and
  // can't have ended before poll() merely because the producer stopped half-way.
  archive.write.reset();
  if (produced && producer_ended_first) progress->show(95, "unpacking");
  auto consumed = finish(&consumer);
  // Report the error of the process that ended first. The other one only saw a broken pipe or half an archive.
  if (!produced && (producer_ended_first || consumed)) return produced;
  return consumed;
}

Producer tool_producer(const std::string& name, std::vector<std::string> command, bool as_owner, Progress* progress) {
  return {
      [name, command = std::move(command), progress](int out) { return run_tool(name, command, -1, out, progress); },
      as_owner};
}

Result<void> unpack_archive(const ArchiveStream& archive, const std::string& layer, OwnerNamespace* owner,
                            Progress* progress) {
  if (!archive.decompressor().empty()) TRY_VOID(require_program(archive.decompressor()));
  const auto extract = extract_command(layer, archive.decompressor(), keeps_owners(owner));
  if (!archive.is_file()) {
    return pipe_into_layer({[&archive](int out) { return archive.copy_to(out); }, false}, extract, owner, progress);
  }
  auto child = TRY(start_as_owner(TRY(owner->descriptor()),
                                  [&] { return run_tool("tar", extract, archive.descriptor(), -1, progress); }));
  return finish(&child);
}

Result<void> copy_files(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress) {
  const auto extract = extract_command(layer, "", keeps_owners(owner));
  switch (source.kind) {
    case TemplateSource::Kind::debian: {
      const bool is_root = owner->caller().is_root();
      if (!is_root && !owner->ids().has_range()) return fail(advice_on_subids(owner->caller(), false));
      const auto command = TRY(mmdebstrap_command(source.debian, is_root));
      auto made = pipe_into_layer(tool_producer("mmdebstrap", command, false, progress), extract, owner, progress);
      if (!made) return fail(std::move(made).error().within(source.description));
      return made;
    }
    case TemplateSource::Kind::directory:
      if (!source.any_content) TRY_VOID(owner->run([&] { return check_is_root(source.path, source.description); }));
      progress->show(10, "copying " + source.path);
      return pipe_into_layer(tool_producer("tar", pack_command(source.path), true, progress), extract, owner, progress);
    case TemplateSource::Kind::archive:
      break;
  }
  progress->show(10, "unpacking " + source.description);
  return unpack_archive(*source.archive, layer, owner, progress);
}

}  // namespace

Result<TemplateSource> parse_template_source(const std::string& from) {
  TemplateSource source;
  source.description = from;
  if (from.starts_with(kDebianPrefix)) {
    source.debian.suite = from.substr(kDebianPrefix.size());
    return source;
  }
  const bool is_standard_input = from == "-" || from == "/dev/stdin";
  const auto status = is_standard_input ? Result<struct stat>(fail(ENOENT, from)) : status_of(AT_FDCWD, from);
  if (!is_standard_input && !status) {
    return fail(Error(status.error().code(), "source " + text::printable(from)).advise(advice_on_source(from)));
  }
  if (status && S_ISDIR(status->st_mode)) {
    auto resolved = real_path(from);
    if (!resolved) return fail(resolved.error().code(), "source " + text::printable(from));
    source.path = std::move(*resolved);
    source.kind = TemplateSource::Kind::directory;
    return source;
  }
  source.kind = TemplateSource::Kind::archive;
  if (is_standard_input) source.description = "standard input";
  source.archive = TRY(ArchiveStream::open(from));
  TRY_VOID(source.archive->begin());
  return source;
}

Result<void> fill_layer(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress) {
  TRY_VOID(copy_files(source, layer, owner, progress));
  return owner->run([&]() -> Result<void> {
    if (TRY(list_directory(AT_FDCWD, layer)).empty()) return fail("source " + source.description + " holds no files");
    if (!source.any_content) TRY_VOID(check_is_root(layer, source.description));
    // Users of the guest other than root need to search "/".
    if (::chmod(layer.c_str(), 0755) != 0) return fail(errno, "chmod " + layer);
    return {};
  });
}

}  // namespace isolate
