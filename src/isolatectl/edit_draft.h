// EditDraft: the changes of an edit until they are a generation of the template. Whatever happens to this process, they
// are either published whole, or still there and unpublished.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolatectl/commands.h"
#include "request/request.h"

namespace isolate {

class EditDraft {
 public:
  // The caller holds the template's lock for edits; what is referred to must outlive the draft.
  // `exists`: whether an earlier edit has left one. begin() makes one, resume() takes the one that there is.
  static Result<bool> exists(const TemplatePlace& place);
  static Result<std::unique_ptr<EditDraft>> begin(Context* context, const TemplatePlace& place);
  static Result<std::unique_ptr<EditDraft>> resume(Context* context, const TemplatePlace& place);
  virtual ~EditDraft() = default;

  // Directories that the root consists of, the topmost first.
  virtual std::vector<std::string> directories() const = 0;
  // Runs the request's command in it: its exit status.
  virtual int run(RunRequest request) = 0;
  // True if it is certain that there are no changes.
  virtual bool is_unchanged() = 0;

  // Each of these ends the draft's use here. publish(): the number of the new generation.
  virtual Result<std::uint64_t> publish() = 0;
  virtual Result<void> discard() = 0;
  virtual Result<void> leave() = 0;
};

}  // namespace isolate
