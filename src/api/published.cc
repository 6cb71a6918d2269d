#include "api/published.h"

#include <nlohmann/json.hpp>

#include "access/rate_limits.h"
#include "access/refusal_budget.h"
#include "base/code.h"
#include "base/limits.h"
#include "event/event.h"

namespace attune {

PublishedResource::PublishedResource(RequestRouter* router, const Runtime* runtime, const PublishedLimits& limits)
    : runtime_(*runtime), limits_(limits) {
  router->On("GET /v1/errors", [this](Call call) { ListErrors(std::move(call)); });
  router->On("GET /v1/limits", [this](Call call) { ShowLimits(std::move(call)); });
}

void PublishedResource::ListErrors(Call call) const {
  nlohmann::ordered_json codes = nlohmann::ordered_json::array();
  for (const CodeInfo& info : kCodes) {
    nlohmann::ordered_json code = {{"code", info.text}, {"status", nullptr}};
    if (info.status != 0) code["status"] = info.status;
    code["dead_letter"] = info.is_reason;
    code["stage"] = kStageNames[static_cast<size_t>(info.stage)];
    code["retryable"] = info.is_retryable;
    code["meaning"] = info.meaning;
    codes.push_back(std::move(code));
  }
  call.Json(nlohmann::ordered_json{{"version", kCodesVersion}, {"codes", codes}}.dump());
}

void PublishedResource::ShowLimits(Call call) const {
  const HttpLimits& http = limits_.http;
  const IngestLimits ingest;
  const RateOptions& rates = limits_.rates;
  const auto rate = [](double events_per_second) {
    return events_per_second > 0 ? nlohmann::ordered_json(events_per_second) : nullptr;
  };
  const nlohmann::ordered_json limits = {
      {"http",
       {{"head_bytes", http.head_bytes},
        {"head_fields", http.head_fields},
        {"target_bytes", http.target_bytes},
        {"body_bytes", http.body_bytes},
        {"chunk_extension_bytes", http.chunk_extension_bytes},
        {"head_deadline_ms", http.head_deadline_ms},
        {"body_grace_ms", http.body_grace_ms},
        {"body_bytes_per_second", http.body_bytes_per_second},
        {"idle_ms", http.idle_ms},
        {"write_stall_ms", http.write_stall_ms},
        {"max_connections", http.max_connections}}},
      {"events",
       {{"body_bytes", ingest.body_bytes},
        {"expansion", ingest.expansion},
        {"batch_events", ingest.batch_events},
        {"event_bytes", ingest.event_bytes},
        {"id_bytes", ingest.id_bytes},
        {"name_bytes", ingest.name_bytes},
        {"object_members", ingest.object_members},
        {"array_items", ingest.array_items},
        {"trait_name_bytes", ingest.trait_name_bytes},
        {"depth", kMaxEventDepth},
        {"ahead_ms", ingest.ahead},
        {"oldest_event_ms", runtime_.plan_state()->plan().oldest_event},
        {"clock_off_ms", ingest.clock_off},
        {"errors", ingest.errors}}},
      {"dead_letters",
       {{"letters", limits_.dead_letters.letters},
        {"bytes", limits_.dead_letters.bytes},
        {"request_body_bytes", kLetterBodyBytes},
        {"requests_per_second", RefusalBudget::kKeptPerSecond},
        {"requests_at_once", RefusalBudget::kKeptAtOnce}}},
      {"rate",
       {{"events_per_second_per_key", rate(rates.per_key)},
        {"events_per_second_per_network", rate(rates.per_network)},
        {"retry_after_seconds", RateLimits::kMaxPauseSeconds}}},
  };
  call.Json(limits.dump());
}

}  // namespace attune
