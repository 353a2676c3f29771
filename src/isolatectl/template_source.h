// The source of a new template's files, and how the files get into its first layer.
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
  std::string path;                      // for Kind::directory: its absolute path
  std::optional<ArchiveStream> archive;  // for Kind::archive; begin() has been called
  DebianRequest debian;                  // for Kind::debian
  std::string description;               // the source as the user gave it, for messages
  bool any_content = false;              // accept a source that does not look like a Linux root
};

// `from` is debian:SUITE, the path of a directory, of a tar archive or of a pipe with an archive, or "-" for standard
// input. Errors: plain text: it is none of these; the message says what to do.
Result<TemplateSource> parse_template_source(const std::string& from);

// Copies the source into the directory `layer`. Files keep their owners, access lists, attributes and holes, except for
// the attributes that overlayfs uses itself. Errors: a message of tar or mmdebstrap; a signal asked for an end; the
// source does not look like a Linux root.
Result<void> fill_layer(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress);

}  // namespace isolate
