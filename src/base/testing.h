// Helpers for unit tests: temporary directories, scoped environment variables, checks of Result, and child processes in
// their own mount namespace. Only *_test.cc files include this.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

// Most tests need real mounts and ids. Without root they fail rather than being skipped, so that nobody takes a skipped
// test for a passed one.
#define REQUIRE_ROOT() ASSERT_EQ(::geteuid(), 0U) << "run this test as root: it needs real mounts and ids"

namespace isolate::test {

// The directory lies below /var/tmp and not /tmp, which may be a tmpfs: tests need a file system that supports
// id-mapped mounts and can hold an overlay's upper directory.
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
    // Tests make trees that are too deep for std::filesystem::remove_all; rm removes them.
    if (std::system(("rm -rf --one-file-system " + path_).c_str()) != 0) ADD_FAILURE() << path_ << " was left behind";
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Sets an environment variable, or removes it if `value` is null, and restores the old value when destroyed.
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

// lstat: a dangling symbolic link exists, too.
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

// The source position of a call in a test. clang 14 does not find libstdc++'s std::source_location.
struct Where {
  const char* file;
  int line;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// Reports only the position and the error. EXPECT_TRUE would also print the source text of a whole lambda.
template <typename T>
void expect_success(const Result<T>& result, Where where = Where::here()) {
  if (!result) ADD_FAILURE_AT(where.file, where.line) << result.error().message();
}

// Returns the error's message, or "" for a success.
template <typename T>
std::string message_of(const Result<T>& result) {
  return result ? "" : result.error().message();
}

// Returns the value of a result that the test relies on. Throws if it is an error, which ends the test.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// Adds a template to the store in which each file contains its own name.
template <typename AnyStore>
void add_template(AnyStore& store, const std::string& name, const std::vector<std::string>& files = {"etc/issue"}) {
  const auto layer = must(store.begin_template(name));
  for (const auto& file : files) write_text(layer + "/" + file, file);
  must(store.publish_template(name, layer, "a test"));
}

// For checks in a child process, where EXPECT_* does not reach the test: the child returns this Result instead.
inline Result<void> verify(bool holds, const std::string& expectation) {
  if (holds) return {};
  return fail("expected: " + expectation);
}

// Runs `body` in a child process and returns its error or the text of its exception. Changes that `body` makes to its
// own process (ids, namespaces, directory) end with the child.
inline Result<void> outcome_in_child(const std::function<Result<void>()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "pipe2");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    Result<void> outcome;
    try {
      outcome = body();
    } catch (const std::exception& exception) {
      outcome = fail(exception.what());
    }
    if (!outcome && ::dprintf(ends[1], "%s", outcome.error().packed().c_str()) < 0) ::_exit(2);
    ::_exit(outcome ? 0 : 1);
  }
  ::close(ends[1]);
  std::string packed;
  char buffer[512];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    packed.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!packed.empty()) return fail(Error::from_packed(packed));
  if (status != 0) return fail("the child ended with wait status " + std::to_string(status));
  return {};
}

inline void in_child(const std::function<Result<void>()>& body, Where where = Where::here()) {
  expect_success(outcome_in_child(body), where);
}

// Moves this process to a new mount namespace whose mounts are private: only this process and its children see what it
// mounts, and the mounts vanish with them.
inline Result<void> enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) return fail(errno, "unshare mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail(errno, "mount private /");
  return {};
}

inline void in_private_mounts(const std::function<Result<void>()>& body, Where where = Where::here()) {
  const auto in_mounts = [&]() -> Result<void> {
    TRY_VOID(enter_private_mounts());
    return body();
  };
  expect_success(outcome_in_child(in_mounts), where);
}

inline Result<void> bind_over(const std::string& source, const std::string& target) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail(errno, "bind " + target);
  return {};
}

// A user that does not exist on the machine. as_pretended_user() mounts other versions of /etc/passwd, /etc/subuid and
// /etc/subgid in a private mount namespace.
struct PretendedUser {
  static constexpr unsigned kId = 54321;
  std::string subuid = "tester:300000:65536\n";
  std::string subgid = "tester:400000:65536\n";
};

inline Result<void> become(const PretendedUser& user, const TempDirectory& files) {
  constexpr auto id = PretendedUser::kId;
  const std::string ids = std::to_string(id) + ":" + std::to_string(id);
  write_text(files / "passwd", "root:x:0:0::/root:/bin/sh\ntester:x:" + ids + "::/:/bin/sh\n");
  write_text(files / "subuid", user.subuid);
  write_text(files / "subgid", user.subgid);
  TRY_VOID(enter_private_mounts());
  for (const std::string name : {"passwd", "subuid", "subgid"}) TRY_VOID(bind_over(files / name, "/etc/" + name));
  if (::setgroups(0, nullptr) != 0) return fail(errno, "setgroups");
  if (::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0) return fail(errno, "setresuid");
  // After a change of user the kernel makes /proc/self belong to root. For a process that was started by this user it
  // would belong to the user.
  ::prctl(PR_SET_DUMPABLE, 1);
  return {};
}

// Runs `body` as that user in a child process. `scratch` is a directory that belongs to the user.
inline void as_pretended_user(const PretendedUser& user,
                              const std::function<Result<void>(const std::string& scratch)>& body,
                              Where where = Where::here()) {
  const TempDirectory files;
  const TempDirectory scratch;
  const auto as_user = [&]() -> Result<void> {
    TRY_VOID(become(user, files));
    return body(scratch.path());
  };
  if (::chown(scratch.path().c_str(), PretendedUser::kId, PretendedUser::kId) != 0) ADD_FAILURE() << "chown failed";
  expect_success(outcome_in_child(as_user), where);
}

}  // namespace isolate::test
