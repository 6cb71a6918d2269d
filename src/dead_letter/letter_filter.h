// Which dead letters a question is about.
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
  // Names of its parameters, parted by spaces.
  static constexpr const char* kParameters = "reason source event since until state";

  // The value of a parameter; nullopt when it is not given.
  using Lookup = std::function<std::optional<std::string>(std::string_view name)>;
  // kInvalid: a parameter is wrong; the message begins with its name.
  static Result<LetterFilter> Read(const Lookup& lookup);

  bool Takes(const KeptLetter& letter) const;
  // Whether replayed letters are asked for and no others.
  bool replayed_only() const { return state_ == State::kReplayed; }

 private:
  enum class State { kAny, kNew, kReplayed };

  std::string reason_;  // as JSON, as the letters have it; empty: any
  std::string source_;  // the same, without the quote that ends it
  std::string event_;
  std::optional<Millis> since_, until_;  // received at or after; before
  State state_ = State::kAny;
};

}  // namespace attune
