// EditDraft: the changes of `template edit` before they become a generation of the template. Even if this process is
// killed, all of the changes are either published or still there as a draft.
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
  // The caller holds the template's lock for edits. `context` and `place` must outlive the draft.
  // exists() says whether an earlier edit has left a draft; begin() makes a new one; resume() opens the existing one.
  static Result<bool> exists(const TemplatePlace& place);
  static Result<std::unique_ptr<EditDraft>> begin(Context* context, const TemplatePlace& place);
  static Result<std::unique_ptr<EditDraft>> resume(Context* context, const TemplatePlace& place);
  virtual ~EditDraft() = default;

  // The directories of the root, topmost layer first.
  virtual std::vector<std::string> directories() const = 0;
  // Runs the request's command in the draft and returns its exit status.
  virtual int run(RunRequest request) = 0;
  // True only if it is certain that the draft has no changes.
  virtual bool is_unchanged() = 0;

  // Call one of these at the end; the draft can't be used afterwards. publish() returns the number of the new
  // generation; discard() removes the draft; leave() keeps it for a later resume().
  virtual Result<std::uint64_t> publish() = 0;
  virtual Result<void> discard() = 0;
  virtual Result<void> leave() = 0;
};

}  // namespace isolate
