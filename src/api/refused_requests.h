// Counts the requests that were refused.
#pragma once

#include "base/code_counts.h"
#include "base/metrics.h"
#include "http/message.h"

namespace attune {

// Any thread.
class RefusedRequests {
 public:
  // Counts one and returns its response.
  Response Count(Code code, Response response) {
    counts_.Count(code);
    return response;
  }
  void AddMetrics(Metrics* metrics) const {
    metrics->CounterFamily("attune_requests_refused_total", "Requests that were refused, by code", "code",
                           [this](const Metrics::Add& add) {
                             for (const CodeInfo& info : kCodes) {
                               if (info.status != 0) add(info.text, counts_.of(info.code));
                             }
                           });
  }

 private:
  CodeCounts counts_;
};

}  // namespace attune
