// GET /metrics.
#pragma once

#include "api/router.h"
#include "base/metrics.h"

namespace attune {

class MetricsResource {
 public:
  // `metrics` must outlive it. `open`: it needs no key.
  MetricsResource(RequestRouter* router, const Metrics* metrics, bool open);
};

}  // namespace attune
