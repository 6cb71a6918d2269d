// GET /metrics.
#pragma once

#include "api/router.h"
#include "base/metrics.h"

namespace attune {

class MetricsResource {
 public:
  // `metrics` must outlive it.
  MetricsResource(RequestRouter* router, const Metrics* metrics);
};

}  // namespace attune
