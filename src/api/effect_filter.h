// Which effects a stream sends, by the parameters of its URL.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "effects/effect.h"
#include "http/message.h"
#include "plan/plan.h"

namespace attune {

class EffectFilter {
 public:
  // Takes everything.
  EffectFilter() = default;
  // Reads `segment`, `trigger`, `user`, `change` and `type`. Parameters in `others` are ignored; any other is an error.
  // kInvalid names the parameter, what was found, and the nearest known name.
  static Result<EffectFilter> Parse(const Request& request, const Plan& plan, const std::vector<std::string>& others);

  bool Takes(const PublishedEffect& effect) const;

 private:
  // Sorted. Empty: of any name, any user.
  std::vector<std::string> segments_;
  std::vector<std::string> triggers_;
  std::vector<std::string> users_;
  bool kinds_[3] = {true, true, true};  // by EffectKind
};

}  // namespace attune
