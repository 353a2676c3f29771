// DirectoryStream: reads the entries of a directory one after another.
#pragma once

#include <dirent.h>

#include <string_view>
#include <utility>

#include "linux/file.h"

namespace isolate {

class DirectoryStream {
 public:
  // Does not follow a symbolic link in the last component of the path.
  static Result<DirectoryStream> open(int directory, const std::string& path) {
    return of(TRY(open_file(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), path);
  }
  // Reads the directory `fd`. Errors name it `path`.
  static Result<DirectoryStream> of(Fd fd, const std::string& path) {
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) return fail(errno, "open directory " + path);
    fd.release();
    return DirectoryStream(stream);
  }
  DirectoryStream(DirectoryStream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  DirectoryStream& operator=(DirectoryStream&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }

  // Returns the next entry other than "." and "..", or null at the end.
  const dirent* next() {
    while (const dirent* entry = ::readdir(stream_)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return entry;
    }
    return nullptr;
  }
  int fd() const { return ::dirfd(stream_); }

 private:
  explicit DirectoryStream(DIR* stream) : stream_(stream) {}
  DIR* stream_;
};

}  // namespace isolate
