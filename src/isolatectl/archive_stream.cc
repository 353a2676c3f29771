#include "isolatectl/archive_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "base/text.h"
#include "isolatectl/interruption.h"
#include "linux/file.h"

namespace isolate {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kBeginning = 512;  // one block of tar; longer than each of the marks below

struct Compression {
  std::string_view mark;
  const char* program;
};
// The first bytes of compressed files, from the database of file(1), and the program that tar can decompress them with.
constexpr std::array<Compression, 9> kCompressions = {{{"\x1f\x8b"sv, "gzip"},
                                                       {"\x1f\x9d"sv, "gzip"},  // compress(1), which gzip can read
                                                       {"BZh"sv, "bzip2"},
                                                       {"\xfd"
                                                        "7zXZ\0"sv,
                                                        "xz"},
                                                       {"\x5d\0\0"sv, "lzma"},
                                                       {"\x28\xb5\x2f\xfd"sv, "zstd"},
                                                       {"LZIP"sv, "lzip"},
                                                       {"\x89LZO"sv, "lzop"},
                                                       {"\x04\x22\x4d\x18"sv, "lz4"}}};

// Files that users give by mistake, with what to do instead.
struct OtherKind {
  std::string_view mark;
  std::string_view what;
};
constexpr std::array<OtherKind, 5> kOtherKinds = {
    {{"hsqs"sv, "a squashfs image; unpack it (unsquashfs -d DIR FILE) and give DIR"sv},
     {"QFI\xfb"sv, "a disk image; mount it and give the directory"sv},
     {"PK\x03\x04"sv, "a zip archive; unpack it and give the directory"sv},
     {"070701"sv, "a cpio archive; unpack it and give the directory"sv},
     {"!<arch>\n"sv, "a Debian package or ar archive, which contains no Linux root; give a tar archive of a root"sv}}};

// Reads until it has `most` bytes or the input ends. read(2) from a pipe may return fewer bytes each time.
Result<std::string> read_up_to(int fd, std::size_t most, const std::string& name) {
  std::string bytes(most, '\0');
  std::size_t length = 0;
  while (length < most) {
    TRY_VOID(Interruption::wait_until_readable(fd));
    const ssize_t got = ::read(fd, bytes.data() + length, most - length);
    if (got < 0 && errno != EINTR) return fail(errno, "read " + name);
    if (got == 0) break;
    if (got > 0) length += static_cast<std::size_t>(got);
  }
  bytes.resize(length);
  return bytes;
}

// Returns whether all of `data` was written; false means that the reader has closed its end.
Result<bool> write_to_reader(int out, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(out, data.data(), data.size());
    if (written < 0 && errno == EPIPE) return false;
    if (written < 0 && errno != EINTR) return fail(errno, "write to tar");
    TRY_VOID(Interruption::check());
    if (written > 0) data.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<ArchiveStream> ArchiveStream::open(const std::string& from) {
  const bool is_standard_input = from == "-" || from == "/dev/stdin";
  const auto name = is_standard_input ? std::string("standard input") : text::printable(from);
  // Duplicate standard input instead of opening /dev/stdin: it may be a socket, which open(2) refuses, or a file that
  // this user may read but not open.
  Fd fd = is_standard_input ? Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) : TRY(open_file(AT_FDCWD, from, O_RDONLY));
  if (!fd) return fail(errno, name);
  const auto status = TRY(status_of(fd.get(), "", AT_EMPTY_PATH));
  if (S_ISREG(status.st_mode)) return ArchiveStream(std::move(fd), true, name);
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) return ArchiveStream(std::move(fd), false, name);
  if (::isatty(fd.get()) == 1) {
    return fail(name +
                " is a terminal; give it an archive: docker export CONTAINER | isolatectl template create NAME "
                "--from -");
  }
  return fail("source " + name + " is neither a directory nor a file nor a pipe; give a directory or a tar archive");
}

Result<void> ArchiveStream::read_beginning() {
  if (!is_file_) {
    beginning_ = TRY(read_up_to(fd_.get(), kBeginning, name_));
    return {};
  }
  std::string bytes(kBeginning, '\0');
  const ssize_t got = ::pread(fd_.get(), bytes.data(), bytes.size(), ::lseek(fd_.get(), 0, SEEK_CUR));
  if (got < 0) return fail(errno, "read " + name_);
  beginning_ = bytes.substr(0, static_cast<std::size_t>(got));
  return {};
}

Result<void> ArchiveStream::begin() {
  TRY_VOID(read_beginning());
  if (beginning_.empty()) return fail("source " + name_ + " holds no files: it is empty");
  for (const auto& kind : kOtherKinds) {
    if (beginning_.starts_with(kind.mark)) return fail(fmt::format("source {} is {}", name_, kind.what));
  }
  for (const auto& compression : kCompressions) {
    if (beginning_.starts_with(compression.mark)) decompressor_ = compression.program;
  }
  return {};
}

Result<void> ArchiveStream::copy_to(int out) const {
  constexpr std::size_t kChunk = 1 << 17;
  std::string chunk = beginning_;
  while (!chunk.empty()) {
    if (!TRY(write_to_reader(out, chunk))) return {};
    chunk = TRY(read_up_to(fd_.get(), kChunk, name_));
  }
  return {};
}

}  // namespace isolate
