// Errors as values. One error type for the whole program; its code determines what the caller should do next.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"

namespace attune {

enum class ErrorCode {
  kInvalid,      // the input is wrong: correct it, then call again (HTTP 400, exit 2)
  kNotFound,     // the thing named does not exist (HTTP 404, exit 1)
  kConflict,     // in use by another, or it exists already (HTTP 409, exit 1)
  kDenied,       // the caller may not do this (HTTP 403, exit 1)
  kUnavailable,  // the input is fine: try again later (HTTP 503, exit 1)
  kCorrupt,      // stored bytes differ from what was written: repair or restore (HTTP 500, exit 1)
  kIo,           // an error of the operating system (HTTP 503, exit 1)
};

struct Error {
  ErrorCode code;
  std::string message;
};

// A value or an error. Reading the value of a failed result is a bug and ends the program.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: implicit, so that `return value;` works
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit, so that `return error;` works

  bool ok() const { return value_.has_value(); }
  T& value() & {
    ATTUNE_CHECK(ok(), "value() of a failed Result");
    return *value_;
  }
  const T& value() const& {
    ATTUNE_CHECK(ok(), "value() of a failed Result");
    return *value_;
  }
  T&& value() && {
    ATTUNE_CHECK(ok(), "value() of a failed Result");
    return std::move(*value_);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const Error& error() const {
    ATTUNE_CHECK(!ok(), "error() of a Result that holds a value");
    return *error_;
  }

 private:
  std::optional<T> value_;
  std::optional<Error> error_;
};

// Success or an error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit, so that `return error;` works
  bool ok() const { return !error_.has_value(); }
  const Error& error() const {
    ATTUNE_CHECK(!ok(), "error() of a Status that is ok");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace attune
