#include "server/resources.h"

#include <atomic>
#include <vector>

#include "analysis/studies.h"
#include "api/assets.h"
#include "api/background_responder.h"
#include "api/dead_letters.h"
#include "api/effects.h"
#include "api/events.h"
#include "api/health.h"
#include "api/letter_replays.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/plan.h"
#include "api/previews.h"
#include "api/published.h"
#include "api/refused_requests.h"
#include "api/router.h"
#include "api/segment_library.h"
#include "api/segments.h"
#include "api/studies.h"
#include "api/suggestions.h"
#include "api/users.h"
#include "base/metrics.h"
#include "ingest/collector.h"
#include "ingest/protocol/segment.h"
#include "ingest/protocols.h"
#include "server/page_assets.h"

namespace attune {
namespace {

std::vector<std::unique_ptr<const Protocol>> ServedProtocols() {
  std::vector<std::unique_ptr<const Protocol>> protocols;
  protocols.push_back(std::make_unique<SegmentProtocol>());
  return protocols;
}

// Between admission and the log, in this order. None yet: every event passes.
std::vector<std::unique_ptr<const EventStage>> EventStages() { return {}; }

std::vector<Asset> PageAssets() {
  return {{"/", "text/html; charset=utf-8", std::string(PageHtml())},
          {"/app.js", "text/javascript; charset=utf-8", std::string(PageJs())},
          {"/app.css", "text/css; charset=utf-8", std::string(PageCss())}};
}

}  // namespace

struct Resources::Parts {
  Parts(Runtime* runtime, const Keys* keys, DeadLetters* letters, ResourceOptions options)
      : router(keys),
        collector(runtime, keys, &protocols, options.rates, &draining),
        events(&router, keys, &collector, &protocols, &refused),
        users(&router, runtime),
        plan(&router, runtime, &background, &draining, std::move(options.plan_path)),
        segments(&router, runtime),
        study_answers(&router, &studies, &refused, &draining),
        previews(&router, runtime, &study_answers),
        suggestions(&router, runtime, &study_answers),
        effects(&router, runtime, &draining),
        dead_letters(&router, runtime, &background, &refused, &draining),
        letter_replays(&router, runtime, letters, &protocols, &study_answers),
        segment_library(&router),
        published(&router, runtime, {options.http_limits, options.rates, letters->quota()}),
        health(&router, runtime, &draining, std::move(options.status_note)),
        metrics_page(&router, &metrics, options.metrics_open),
        openapi(&router, &protocols),
        assets(&router, PageAssets()) {
    refused.AddMetrics(&metrics);
    collector.AddMetrics(&metrics);
    letters->AddMetrics(&metrics);
    runtime->AddMetrics(&metrics);
    runtime->outbox().AddMetrics(&metrics);
    effects.AddMetrics(&metrics);
    runtime->AddLogMetrics(&metrics);
    health.AddMetrics(&metrics);
    router.CheckComplete();
  }

  // What resources share.
  std::atomic<bool> draining{false};
  Metrics metrics;
  RefusedRequests refused;
  BackgroundResponder background;
  Studies studies;
  const Protocols protocols{ServedProtocols(), EventStages()};
  RequestRouter router;
  Collector collector;

  EventsResource events;
  UsersResource users;
  PlanResource plan;
  SegmentsResource segments;
  StudiesResource study_answers;
  PreviewsResource previews;
  SuggestionsResource suggestions;
  EffectsResource effects;
  DeadLettersResource dead_letters;
  LetterReplaysResource letter_replays;
  SegmentLibraryResource segment_library;
  PublishedResource published;
  HealthResource health;
  MetricsResource metrics_page;
  OpenApiResource openapi;
  AssetsResource assets;
};

Resources::Resources(Runtime* runtime, const Keys* keys, DeadLetters* dead_letters, ResourceOptions options)
    : parts_(std::make_unique<Parts>(runtime, keys, dead_letters, std::move(options))) {}

Resources::~Resources() { Drain(); }

const RequestRouter& Resources::router() const { return parts_->router; }

Metrics& Resources::metrics() { return parts_->metrics; }

void Resources::Drain() {
  parts_->draining = true;
  parts_->studies.Stop();
  parts_->background.Stop();
}

}  // namespace attune
