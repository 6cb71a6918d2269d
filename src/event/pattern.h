// A regular expression of the plan's author, matched in time linear in the text (RE2).
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
  // kInvalid with the reason and the place: a syntax error, a backreference or look-around (which RE2 has not, because
  // they cost exponential time), or a pattern over 1,000 bytes or 1 MiB of compiled form.
  static Result<std::shared_ptr<const Pattern>> Compile(std::string_view regex);
  ~Pattern();

  // True when the pattern matches anywhere in the text. Any thread.
  bool Matches(std::string_view text) const;

  // The names of the groups `(?P<name>…)`, by their number less one; a group without a name has an empty one.
  std::vector<std::string> GroupNames() const;
  // Matches from the text's begin to its end, and gives what each group matched (a null view when it took no part).
  // `groups` must have the size of GroupNames().
  bool MatchesWhole(std::string_view text, std::span<std::string_view> groups) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
