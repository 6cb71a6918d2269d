#include "api/metrics.h"

namespace attune {

MetricsResource::MetricsResource(RequestRouter* router, const Metrics* metrics, bool open) {
  router->On("GET /metrics", [metrics](Call call) {
    call.reply.Send(
        {200, "text/plain; version=0.0.4; charset=utf-8", {{"Cache-Control", "no-store"}}, metrics->Text()});
  });
  if (open) router->Open("GET /metrics");
}

}  // namespace attune
