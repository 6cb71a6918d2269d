// Effects and values as JSON: the lines that replay writes and the answers that the API gives are the same words.
#pragma once

#include <string>
#include <string_view>

#include "engine/engine.h"

namespace attune {

// {"at","user","segment","change","corrected"}
std::string TransitionJson(const Transition& transition, const Program& program);
// {"at","trigger","user","key","id","values"}
std::string FiringJson(const TriggerFiring& firing, const Program& program);
// {"pages_this_session":6,…}: all metrics of the plan at t, those that are null left out. Names of metrics that rest
// on less than the whole history, because the plan's limit dropped events, are added to `incomplete`.
std::string MetricsJson(const UserState& user, Millis t, Engine* engine, std::vector<std::string>* incomplete);
// {"at","user","metrics","segments"}, and "incomplete" when there is something to say.
std::string ValuesJson(const UserState& user, Millis t, Engine* engine);

}  // namespace attune
