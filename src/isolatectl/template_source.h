// Where a new template's files come from, and how they get into its first layer.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "isolatectl/debian_source.h"
#include "isolatectl/progress.h"
#include "linux/caller.h"

namespace isolate {

struct TemplateSource {
  enum class Kind { debian, directory, archive };
  Kind kind = Kind::debian;
  std::string path;  // absolute, of a directory or an archive
  DebianRequest debian;
  std::string description;  // as the user gave it
};

// `from` is debian:SUITE, or the path of a directory or of a tar archive. Errors: plain text: none of these.
Result<TemplateSource> parse_template_source(const std::string& from);

// Fills the directory `layer`, with the owners that the files have in the source.
// Errors: what the tools said; "interrupted".
Result<void> fill_layer(const TemplateSource& source, const std::string& layer, OwnerNamespace* owner,
                        Progress* progress);

}  // namespace isolate
