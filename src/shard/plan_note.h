// Where the plan lies that a data folder was served with last: `attune explain` needs it.
#pragma once

#include <string>

namespace attune {

// Empty when the folder does not say.
std::string ReadPlanNote(const std::string& dir);
// Not being able to is no harm: the plan can be given by hand.
void WritePlanNote(const std::string& dir, const std::string& plan);

}  // namespace attune
