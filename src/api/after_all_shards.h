// Waiting for all shards.
#pragma once

#include <functional>

#include "shard/runtime.h"

namespace attune {

// Calls `then` on a loop's thread once every shard has applied what was durable before this call, and fired the timers
// that were due.
void AfterAllShards(Runtime* runtime, std::function<void()> then);

}  // namespace attune
