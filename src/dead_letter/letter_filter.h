// Which dead letters a request selects.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "dead_letter/dead_letters.h"

namespace attune {

class LetterFilter {
 public:
  // Names of its parameters, separated by spaces.
  static constexpr const char* kParameters = "reason source event since until state";

  // Returns the value of a parameter; nullopt if it is absent.
  using Lookup = std::function<std::optional<std::string>(std::string_view name)>;
  // kInvalid: a parameter is invalid; the message begins with its name.
  static Result<LetterFilter> Read(const Lookup& lookup);

  bool Takes(const KeptLetter& letter) const;
  // Whether only replayed letters are selected.
  bool replayed_only() const { return state_ == State::kReplayed; }

 private:
  enum class State { kAny, kNew, kReplayed };

  std::string reason_;  // as JSON, as in the letters; empty: any
  std::string source_;  // the same, without the closing quote
  std::string event_;
  std::optional<Millis> since_, until_;  // received at or after; before
  State state_ = State::kAny;
};

}  // namespace attune
