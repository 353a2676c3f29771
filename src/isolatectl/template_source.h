// Where a new template's files come from, and how they get into its first layer.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "isolatectl/archive_stream.h"
#include "isolatectl/debian_source.h"
#include "isolatectl/progress.h"
#include "linux/caller.h"

namespace isolate {

struct TemplateSource {
  enum class Kind { debian, directory, archive };
  Kind kind = Kind::debian;
  std::string path;                      // absolute, of a directory
  std::optional<ArchiveStream> archive;  // its first bytes have been read
  DebianRequest debian;
  std::string description;   // as the user gave it
  bool any_content = false;  // also what does not look like a Linux root
};

// `from` is debian:SUITE, or the path of a directory, of a tar archive, of a pipe that an archive comes through, or "-"
// for standard input. Errors: plain text: none of these, and what to do.
Result<TemplateSource> parse_template_source(const std::string& from);

// Fills the directory `layer`, with the owners, access lists, attributes and holes that the files have in the source.
// Attributes that have a meaning to the layers of an overlay are left out. Errors: what the tools said; "interrupted";
// the source does not look like a Linux root.
Result<void> fill_layer(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress);

}  // namespace isolate
