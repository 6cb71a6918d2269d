// Metrics of the process and of its HTTP servers.
#pragma once

#include <atomic>

#include "base/metrics.h"
#include "http/server.h"

namespace attune {

// `server` may be null until the server has started: its figures are 0 then. It must outlive the registry's last Text().
void AddServerMetrics(const std::atomic<const Server*>* server, Metrics* metrics);
// Under the names that Prometheus' client libraries use, read from /proc.
void AddProcessMetrics(Metrics* metrics);

}  // namespace attune
