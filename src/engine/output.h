// Effects and values as JSON. The output of replay and the answers of the API share these functions.
#pragma once

#include <string>
#include <string_view>

#include "engine/engine.h"

namespace attune {

// {"at","user","segment","change","corrected"}
std::string TransitionJson(const Transition& transition, const Program& program);
std::string TransitionJson(Millis at, std::string_view user, std::string_view segment, bool enter, bool corrected);
// {"at","trigger","user","key","id","values"}
std::string FiringJson(const TriggerFiring& firing, const Program& program);
// The same of a firing whose FiringDetail is `detail`.
std::string FiringJson(Millis at, std::string_view trigger, std::string_view user, std::string_view detail);
// `"key":…,"id":…,"values":…`: what a firing's line has beside the instant, the trigger and the user.
std::string FiringDetail(const TriggerFiring& firing);
// {"pages_this_session":6,…}: all metrics of the plan at t, without those that are null. Adds to `incomplete` the names
// of metrics that lack events because the plan's limit dropped them.
std::string MetricsJson(const UserState& user, Millis t, Engine* engine, std::vector<std::string>* incomplete);
// {"at","user","metrics","segments"}, and "incomplete" if it is not empty.
std::string ValuesJson(const UserState& user, Millis t, Engine* engine);

}  // namespace attune
