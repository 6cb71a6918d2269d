// Arithmetic on instants that may be kAlways or kNever.
#pragma once

#include "base/time.h"

namespace attune {

// Returns at most kNever. `t` is not before the epoch.
inline Millis Later(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

// Leaves kAlways and kNever unchanged.
inline Millis Earlier(Millis t, Millis by) { return t == kNever || t < kAlways + by ? t : t - by; }

}  // namespace attune
