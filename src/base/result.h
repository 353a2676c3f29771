// Result<T> holds a value or an Error, which says which call failed, on what, and why. No function of isolate throws.
#pragma once

#include <cerrno>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace isolate {

class Error {
 public:
  // `context` names the call and its object, for example "mount overlay on root". `code` is an errno value.
  Error(int code, std::string context) : code_(code), context_(std::move(context)) {}
  // For a failure without an errno: `text` is the whole message.
  explicit Error(std::string text) : code_(0), context_(std::move(text)) {}

  int code() const { return code_; }
  const std::string& context() const { return context_; }

  // Adds what the user can do about the error. message() prints it after the reason.
  Error&& advise(std::string advice) && {
    advice_ = std::move(advice);
    return std::move(*this);
  }
  // Prepends the step that failed: "step: call subject: reason".
  Error&& within(const std::string& step) && {
    context_ = step + ": " + context_;
    return std::move(*this);
  }

  // One line a user can act on: "context: reason; advice".
  std::string message() const;

  // Converts the error to text and back, to pass it to another process. Of several packed errors in one text the first
  // counts.
  std::string packed() const;
  static Error from_packed(const std::string& text);

 private:
  int code_;
  std::string context_;
  std::string advice_;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(std::string text) { return fail(Error(std::move(text))); }
inline tl::unexpected<Error> fail(int code, std::string context) { return fail(Error(code, std::move(context))); }

}  // namespace isolate

#define ISOLATE_JOIN_2(a, b) a##b
#define ISOLATE_JOIN(a, b) ISOLATE_JOIN_2(a, b)

// Evaluates to the value of a Result; on an error, returns that error from the enclosing function.
#define TRY(expression) ISOLATE_TRY(expression, ISOLATE_JOIN(try_result_, __COUNTER__))
#define ISOLATE_TRY(expression, name)                           \
  ({                                                            \
    auto name = (expression);                                   \
    if (!name) return ::isolate::fail(std::move(name).error()); \
    std::move(name).value();                                    \
  })

// Like TRY, for Result<void>.
#define TRY_VOID(expression) ISOLATE_TRY_VOID(expression, ISOLATE_JOIN(try_result_, __COUNTER__))
#define ISOLATE_TRY_VOID(expression, name)                      \
  do {                                                          \
    auto name = (expression);                                   \
    if (!name) return ::isolate::fail(std::move(name).error()); \
  } while (false)
