// Copies between standard descriptors that are terminals and pipes that a guest gets in their place: a terminal of the
// caller's can be set, typed into and listened to by whoever has it open.
#pragma once

#include <array>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"

namespace isolate {

class StreamCopies {
 public:
  // `is_needed[N]`: whether a guest is to get descriptor N. What is no terminal it gets as it is.
  static Result<StreamCopies> start(const std::array<bool, 3>& is_needed);

  // What the guest gets as `number`; /dev/null where it needs none.
  int descriptor(int number) const;
  // The guest has its descriptors.
  void let_go();
  // Once the guest's command has ended: copies what it has still written.
  void finish();

 private:
  Result<void> copy(int number);

  Fd null_;
  std::array<Fd, 3> pipes_;  // the guest's ends
  std::array<bool, 3> is_needed_{};
  std::array<ChildProcess, 3> copiers_;
  Fd goes_on_;  // open until finish()
  Fd goes_on_reader_;
};

}  // namespace isolate
