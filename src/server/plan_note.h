// Where the plan lies that a data folder was served with last: `attune explain` and others need it. Two lines,
// `attune-plan-note 1` and the path; of older programs the path alone.
#pragma once

#include <string>

#include "base/result.h"

namespace attune {

inline constexpr int kPlanNoteVersion = 1;

// Empty when the folder does not say. kInvalid: a newer program wrote the note.
Result<std::string> ReadPlanNote(const std::string& dir);
// Not being able to is no harm: the plan can be given by hand.
void WritePlanNote(const std::string& dir, const std::string& plan);

}  // namespace attune
