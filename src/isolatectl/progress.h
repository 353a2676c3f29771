// Progress: a bar on a terminal, plain lines elsewhere, nothing when quiet.
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

  // `percent` is 0 to 100 and never goes back; `what` is what is being done now.
  void show(unsigned percent, std::string_view what);

 private:
  std::string title_;
  bool quiet_;
  bool is_terminal_;
  unsigned percent_ = 0;
  std::string last_;
};

}  // namespace isolate
