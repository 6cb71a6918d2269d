// An upper bound on the bytes of state that a condition or metric needs.
#pragma once

#include <cstdint>

#include "engine/program/program.h"

namespace attune {

// An upper bound on the bytes of one user's state that the node needs. State that several nodes share is counted for each.
int64_t StateBound(const Program& program, NodeId root);

}  // namespace attune
