// Store: where templates and clones live. One file of this folder for each kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// A frozen state of a template. New clones are made of the newest one.
struct Generation {
  std::string template_name;
  unsigned number = 0;
  std::vector<std::string> layers;  // paths, topmost first
};

// What a root is put together from.
struct RootSource {
  std::vector<std::string> lower;  // read-only layers, topmost first; empty: `directory` is the root itself
  std::string directory;           // with layers: holds "upper" and "work" of an overlay
};

struct TemplateInfo {
  std::string name;
  std::string store;
  unsigned generation = 0;   // the newest
  std::size_t layers = 0;    // of the newest generation
  std::int64_t created = 0;  // seconds since 1970, of the newest generation
  std::string origin;        // what it was made from
  std::string problem;       // why it can not be used; the rest but name and store is not known then
};

class Store {
 public:
  virtual ~Store() = default;
  virtual std::string_view kind() const = 0;

  // In alphabetical order, damaged ones too.
  virtual Result<std::vector<TemplateInfo>> templates() = 0;
  virtual bool has_template(const std::string& name) = 0;
  // Errors, here and below: there is no such template, and what to do.
  virtual Result<void> check_exists(const std::string& name) = 0;
  virtual Result<TemplateInfo> info(const std::string& name) = 0;
  virtual Result<Generation> newest_generation(const std::string& name) = 0;

  // Makes an empty clone under a name that is not in use. Errors: ENOSPC, EROFS, EDQUOT of the file system.
  virtual Result<RootSource> make_clone(const Generation& generation, const std::string& clone_id) = 0;
  // Removes the clone and all that was written to it. One that does not exist is no error.
  virtual Result<void> destroy_clone(const std::string& clone_id) = 0;
  // Where a kept clone's changes are, for people.
  virtual std::string clone_location(const std::string& clone_id) const = 0;
  // What it takes on disk.
  virtual Result<std::uint64_t> clone_bytes(const std::string& clone_id) = 0;
  virtual Result<std::uint64_t> template_bytes(const std::string& name) = 0;

  // A new template is built in a draft directory, and appears whole or not at all.
  virtual Result<std::string> begin_template(const std::string& name) = 0;  // the directory to fill
  virtual Result<void> publish_template(const std::string& name, const std::string& draft,
                                        const std::string& origin) = 0;
  virtual Result<void> discard_draft(const std::string& draft) = 0;

  // Makes what was written to the clone the template's next generation, and takes the clone over.
  // Errors: EAGAIN another generation was made since the clone was.
  virtual Result<unsigned> publish_clone(const Generation& base, const std::string& clone_id) = 0;

  virtual Result<void> remove_template(const std::string& name) = 0;

  // Removes generations and layers that are neither newest nor in `used`, and what interrupted work has left.
  // Gives back lines that say what was removed.
  virtual Result<std::vector<std::string>> collect_garbage(const std::string& name,
                                                           const std::vector<unsigned>& used) = 0;
  // Removes drafts and templates whose making or removal was interrupted.
  virtual Result<std::vector<std::string>> collect_leftovers() = 0;
};

// Names of templates: 1 to 40 characters, since they become part of a host name.
Result<void> check_template_name(std::string_view name);

}  // namespace isolate
