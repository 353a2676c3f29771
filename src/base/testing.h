// What unit tests share: a directory that goes away, variables that come back, results that explain themselves, and a
// mount namespace to do things in. Only for *_test.cc.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

// Most tests need real mounts and ids: without root they fail, and say why.
#define REQUIRE_ROOT() ASSERT_EQ(::geteuid(), 0U) << "this test has to be run as root"

namespace isolate::test {

// Below /var/tmp, which is a real file system: with id maps, and with room for an overlay's upper directory.
class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/var/tmp/isolate-unit.XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp below /var/tmp failed");
    path_ = name;
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    // rm can go deeper than std::filesystem can.
    if (std::system(("rm -rf --one-file-system " + path_).c_str()) != 0) ADD_FAILURE() << path_ << " was left behind";
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Sets an environment variable (null: removes it), and puts back what it was.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = ::getenv(name)) {
      had_value_ = true;
      old_ = old;
    }
    set(value);
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;
  ~ScopedVariable() { set(had_value_ ? old_.c_str() : nullptr); }

 private:
  void set(const char* value) { value == nullptr ? ::unsetenv(name_) : ::setenv(name_, value, 1); }
  const char* name_;
  bool had_value_ = false;
  std::string old_;
};

inline void write_text(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

inline std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A link that leads nowhere exists too.
inline bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

inline std::vector<std::string> names_below(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) names.push_back(entry.path());
  return names;
}

template <typename T>
::testing::AssertionResult succeeded(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().message();
}

template <typename T>
::testing::AssertionResult fails_with(const Result<T>& result, int code) {
  if (result) return ::testing::AssertionFailure() << "it succeeded";
  if (result.error().code() == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "error " << result.error().code() << ": " << result.error().message();
}

// Empty for a success.
template <typename T>
std::string message_of(const Result<T>& result) {
  return result ? "" : result.error().message();
}

// For what a test takes for granted: its value, or the end of the test.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// For checks in a child process, whose Result comes back to the test.
inline Result<void> verify(bool holds, const std::string& expectation) {
  if (holds) return {};
  return fail("expected: " + expectation);
}

// What this process mounts from here on is seen by it and its children alone, and goes with them.
inline Result<void> enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail(errno, "mount private /");
  return {};
}

inline Result<void> bind_over(const std::string& source, const std::string& target) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail(errno, "bind " + target);
  return {};
}

// An ordinary user whom the machine does not have: /etc/passwd, /etc/subuid and /etc/subgid are other ones in a mount
// namespace of this process.
struct PretendedUser {
  static constexpr unsigned kId = 54321;
  std::string subuid = "tester:300000:65536\n";
  std::string subgid = "tester:400000:65536\n";
};

inline Result<void> become(const PretendedUser& user, const TempDirectory& scratch) {
  TRY_VOID(enter_private_mounts());
  const std::string id = std::to_string(PretendedUser::kId);
  write_text(scratch / "etc/passwd", "root:x:0:0::/root:/bin/sh\ntester:x:" + id + ":" + id + "::/:/bin/sh\n");
  write_text(scratch / "etc/subuid", user.subuid);
  write_text(scratch / "etc/subgid", user.subgid);
  for (const char* name : {"passwd", "subuid", "subgid"}) {
    TRY_VOID(bind_over(scratch / "etc/" + name, std::string("/etc/") + name));
  }
  if (::chmod(scratch.path().c_str(), 0755) != 0) return fail(errno, "chmod");
  if (::setresgid(PretendedUser::kId, PretendedUser::kId, PretendedUser::kId) != 0) return fail(errno, "setresgid");
  if (::setresuid(PretendedUser::kId, PretendedUser::kId, PretendedUser::kId) != 0) return fail(errno, "setresuid");
  // A change of user makes /proc/self root's, which it is not for a process that began as this user.
  ::prctl(PR_SET_DUMPABLE, 1);
  return {};
}

}  // namespace isolate::test
