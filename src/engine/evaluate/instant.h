// Arithmetic on instants that may be kAlways or kNever.
#pragma once

#include "base/time.h"

namespace attune {

// At most kNever. `t` is not before the epoch.
inline Millis Later(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

// kAlways and kNever stay what they are.
inline Millis Earlier(Millis t, Millis by) { return t == kNever || t < kAlways + by ? t : t - by; }

}  // namespace attune
