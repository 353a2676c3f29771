// Progress: shows the progress of a verb on standard error, as a bar on a terminal and as plain lines elsewhere. With
// --quiet it shows nothing.
#pragma once

#include <string>
#include <string_view>

namespace isolate {

class Progress {
 public:
  Progress(std::string title, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `percent` is 0 to 100; a smaller number than before leaves the bar where it is. `what` describes the present step.
  void show(unsigned percent, std::string_view what);

 private:
  std::string title_;
  bool quiet_;
  bool is_terminal_;
  unsigned percent_ = 0;
  std::string last_;
};

}  // namespace isolate
