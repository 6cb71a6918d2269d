// A regular expression of the plan's author, matched in time linear in the text (RE2).
#pragma once

#include <memory>
#include <string>
#include <string_view>

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

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
