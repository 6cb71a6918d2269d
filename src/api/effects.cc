#include "api/effects.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "api/after_all_shards.h"
#include "api/effect_filter.h"
#include "log/log.h"

namespace attune {
namespace {

// The latest transitions, or firings, are searched for among this many effects.
constexpr size_t kLookBack = 20'000;

// `…,"sequence":17,"stream_id":"17-0"}`
std::string Listed(const PublishedEffect& effect) {
  std::string json = effect.Json();
  json.pop_back();
  return json + fmt::format(",\"sequence\":{},\"stream_id\":\"{}\"}}", effect.id.sequence, ToText(effect.id));
}

Response Gone(EffectId asked, EffectId floor) {
  return Problem(Code::kNoLongerKept,
                 fmt::format("changes and firings are kept from {} on, and what followed {} is older; begin with "
                             "Last-Event-ID: 0 at the earliest, or without one at the present",
                             ToText(floor), ToText(asked)));
}

}  // namespace

EffectsResource::EffectsResource(RequestRouter* router, Runtime* runtime, const std::atomic<bool>* draining)
    : runtime_(*runtime), draining_(*draining), stream_(&runtime->outbox()) {
  router->On("GET /v1/transitions", [this](Call call) { List(std::move(call), false); });
  router->On("GET /v1/firings", [this](Call call) { List(std::move(call), true); });
  router->On("GET /v1/stream", [this](Call call) { Stream(std::move(call)); });
}

void EffectsResource::AddMetrics(Metrics* metrics) const { stream_.AddMetrics(metrics); }

void EffectsResource::List(Call call, bool firings) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  const auto list = [this, shared, firings, limit = static_cast<size_t>(*limit)] {
    std::string json = firings ? "{\"firings\":[" : "{\"transitions\":[";
    size_t found = 0, seen = 0;
    const Status read = runtime_.outbox().ForEachBackwards([&](const PublishedEffect& effect) {
      if ((effect.kind == EffectKind::kFiring) == firings) {
        if (found++ > 0) json += ',';
        json += Listed(effect);
      }
      return found < limit && ++seen < kLookBack;
    });
    if (!read.ok()) return shared->reply.Send(Problem(Code::kStorageFailed, ""));
    shared->Json(json + "]}");
  };
  // First what is durable is applied, and the timers that are due fire; then the answer is read where it may wait for
  // the disk.
  AfterAllShards(&runtime_, [this, list] {
    runtime_.outbox().WhenPassed(runtime_.durable_sequence(),
                                 [this, list] { runtime_.AskLog([list](ReadableLog&) { list(); }); });
  });
}

void EffectsResource::Stream(Call call) {
  if (draining_) return call.reply.Send(Problem(Code::kDraining, "the server is shutting down"));
  // Loops get a block just before its sequence is published, so a client may already know effects of later records.
  const uint64_t durable = std::max(runtime_.outbox().position(), runtime_.durable_sequence());
  if (!call.CheckPosition(durable)) return;
  const auto wrong = [&](const std::string& detail) { call.reply.Send(Problem(Code::kInvalidParameter, detail)); };
  // A key may stand in the query: browsers' EventSource sends no headers.
  auto filter =
      EffectFilter::Parse(call.request, runtime_.plan_state()->plan(), {"since", "writeKey", "api_secret", "token"});
  if (!filter.ok()) return wrong(filter.error().message);
  // A client that reconnects sends the same URL, and the id of the last effect that it received.
  const auto header = call.request.Header("Last-Event-ID");
  const bool resumed = header && !header->empty();
  const auto since = call.request.QueryParameter("since");
  EffectId from = After(durable);
  if (resumed || since) {
    const std::string text = resumed ? std::string(*header) : *since;
    const auto id = ParseEffectId(text);
    if (!id || id->sequence > durable) {
      return wrong(fmt::format("{}: expected an id of this stream, such as 17-0, or 0; found \"{}\"",
                               resumed ? "Last-Event-ID" : "since", text));
    }
    const EffectId floor = runtime_.outbox().floor();
    from = id->sequence == 0 ? floor : *id;
    if (from < floor) return call.reply.Send(Gone(from, floor));
  }
  if (!stream_.Reserve()) {
    Response response = Problem(Code::kTooManyStreams,
                                fmt::format("{} clients listen, and no more may", EffectStream::kMaxSubscribers));
    response.headers.emplace_back("Retry-After", "10");
    return call.reply.Send(std::move(response));
  }
  // An id without data dispatches no event; a client that is cut off before the first event resumes here.
  Response head{200,
                "text/event-stream",
                {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
                fmt::format("retry: 1000\nid: {}\n\n", ToText(from))};
  stream_.Subscribe(std::move(*filter), from, call.reply.Stream(std::move(head)));
}

}  // namespace attune
