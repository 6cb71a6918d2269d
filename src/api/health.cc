#include "api/health.h"

#include <fmt/format.h>

namespace attune {
namespace {

// A shard loop that has work to do moves many times a second.
constexpr std::chrono::seconds kStalledAfter(10);

}  // namespace

HealthResource::HealthResource(RequestRouter* router, const Runtime* runtime, const std::atomic<bool>* draining,
                               std::string status_note)
    : runtime_(*runtime), draining_(*draining), status_note_(std::move(status_note)) {
  router->On("GET /healthz", [](Call call) { call.Json("{\"status\":\"ok\"}"); });
  router->On("GET /readyz", [this](Call call) { ShowReadiness(std::move(call)); });
  router->On("GET /v1/status", [this](Call call) { ShowStatus(std::move(call)); });
}

void HealthResource::AddMetrics(Metrics* metrics) const {
  metrics->Gauge("attune_uptime_seconds", "Since the start",
                 [this] { return static_cast<uint64_t>(UptimeMs() / 1000); });
}

int64_t HealthResource::UptimeMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_).count();
}

void HealthResource::ShowReadiness(Call call) const {
  if (draining_) return call.reply.Send(Problem(Code::kDraining, "the server is shutting down"));
  if (const Status failure = runtime_.failure(); !failure.ok()) {
    return call.reply.Send(Problem(Code::kStorageFailed, "the disk has failed: " + failure.error().message));
  }
  const auto stalled = std::chrono::duration_cast<std::chrono::seconds>(runtime_.stalled());
  if (stalled >= kStalledAfter) {
    return call.reply.Send(
        Problem(Code::kOverloaded,
                fmt::format("a shard loop has not moved for {} s though it has work to do", stalled.count())));
  }
  call.Json("{\"status\":\"ready\"}");
}

void HealthResource::ShowStatus(Call call) const {
  const RuntimeStats& stats = runtime_.stats();
  call.Json(fmt::format(
      "{{\"events\":{},\"late\":{},\"duplicates\":{},\"dead_letters\":{},\"users\":{},\"transitions\":{},"
      "\"position\":{},\"uptime_ms\":{},\"demo\":{}}}",
      stats.events.load(), stats.late.load(), stats.duplicates.load(), stats.dead_letters.load(), stats.users.load(),
      stats.transitions.load(), runtime_.durable_sequence(), UptimeMs(), status_note_.empty() ? "null" : status_note_));
}

}  // namespace attune
