// A regular expression from a plan, matched in time linear in the text (RE2).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace attune {

class Pattern {
 public:
  // kInvalid with the reason and the position: a syntax error, a backreference or look-around (which RE2 does not
  // support, because they take exponential time), or a pattern over 1,000 bytes or 1 MiB of compiled form.
  static Result<std::shared_ptr<const Pattern>> Compile(std::string_view regex);
  ~Pattern();

  // True when the pattern matches anywhere in the text. Any thread.
  bool Matches(std::string_view text) const;

  // The names of the groups `(?P<name>…)`; group n is at index n - 1. An unnamed group has an empty name.
  std::vector<std::string> GroupNames() const;
  // Matches the whole text, and returns what each group matched (a null view when the group did not participate).
  // `groups` must have the size of GroupNames().
  bool MatchesWhole(std::string_view text, std::span<std::string_view> groups) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
