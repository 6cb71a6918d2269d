#include "api/after_all_shards.h"

#include <atomic>
#include <memory>

#include "log/shard_of.h"

namespace attune {

void AfterAllShards(Runtime* runtime, std::function<void()> then) {
  const auto left = std::make_shared<std::atomic<int>>(kShards);
  for (int shard = 0; shard < kShards; ++shard) {
    runtime->AskNow(static_cast<uint8_t>(shard), [left, then](Shard&, Millis) {
      if (--*left == 0) then();
    });
  }
}

}  // namespace attune
