// Which effects a stream tells, as its query says.
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
  // From `segment`, `trigger`, `user`, `change` and `type`; what else the query has is somebody else's, if it is in
  // `others`. kInvalid names the parameter, what was found, and the nearest known name.
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
