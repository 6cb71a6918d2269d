// GET /healthz, GET /readyz, GET /v1/status: whether the process answers, whether it takes events, and what it has
// done.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "api/router.h"
#include "base/metrics.h"
#include "shard/runtime.h"

namespace attune {

class HealthResource {
 public:
  // Pointers must outlive it. `status_note` is a JSON value that /v1/status shows as `demo`; empty: null.
  HealthResource(RequestRouter* router, const Runtime* runtime, const std::atomic<bool>* draining,
                 std::string status_note);

  void AddMetrics(Metrics* metrics) const;

 private:
  void ShowReadiness(Call call) const;
  void ShowStatus(Call call) const;
  int64_t UptimeMs() const;

  const Runtime& runtime_;
  const std::atomic<bool>& draining_;
  const std::string status_note_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace attune
