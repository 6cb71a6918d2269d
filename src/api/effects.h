// Transitions and firings over all users: the latest of each, and the stream.
#pragma once

#include <atomic>

#include "api/effect_stream.h"
#include "api/router.h"
#include "base/metrics.h"
#include "shard/runtime.h"

namespace attune {

class EffectsResource {
 public:
  // Pointers must outlive it.
  EffectsResource(RequestRouter* router, Runtime* runtime, const std::atomic<bool>* draining);

  void AddMetrics(Metrics* metrics) const;

 private:
  void List(Call call, bool firings);
  void Stream(Call call);

  Runtime& runtime_;
  const std::atomic<bool>& draining_;
  EffectStream stream_;
};

}  // namespace attune
