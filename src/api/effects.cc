// What came of records, over all users: the stream, and the latest of each kind.
#include <fmt/format.h>

#include <algorithm>

#include "api/call.h"
#include "api/effect_stream.h"
#include "http/problem.h"

namespace attune {
namespace {

// The latest transitions, or firings, are looked for among so many effects.
constexpr size_t kLookBack = 20'000;

// `…,"sequence":17,"stream_id":"17-0"}`
std::string Listed(const PublishedEffect& effect) {
  std::string json(effect.json());
  json.pop_back();
  return json + fmt::format(",\"sequence\":{},\"stream_id\":\"{}\"}}", effect.id().sequence, ToText(effect.id()));
}

Response Gone(EffectId asked, EffectId floor) {
  return Problem(Code::kNoLongerKept,
                 fmt::format("changes and firings are kept from {} on, and what followed {} is older; begin with "
                             "Last-Event-ID: 0 at the earliest, or without one at the present",
                             ToText(floor), ToText(asked)));
}

}  // namespace

void Api::ListTransitions(Call call) { ListEffects(std::move(call), false); }
void Api::ListFirings(Call call) { ListEffects(std::move(call), true); }

void Api::ListEffects(Call call, bool firings) {
  const auto limit = call.Number("limit", 100, 1, 1000);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  auto shared = std::make_shared<Call>(std::move(call));
  const auto list = [this, shared, firings, limit = static_cast<size_t>(*limit)] {
    std::string json = firings ? "{\"firings\":[" : "{\"transitions\":[";
    size_t found = 0, seen = 0;
    const Status read = runtime_.outbox().ForEachBackwards([&](const PublishedEffect& effect) {
      if ((effect.kind() == EffectKind::kFiring) == firings) {
        if (found++ > 0) json += ',';
        json += Listed(effect);
      }
      return found < limit && ++seen < kLookBack;
    });
    if (!read.ok()) return shared->reply.Send(Problem(Code::kStorageFailed, ""));
    shared->Json(json + "]}");
  };
  // Behind what was durable, and the timers that are due; then where it may wait for the disk.
  AfterAllShards(&runtime_, [this, list] {
    runtime_.outbox().WhenPassed(runtime_.durable_sequence(), [this, list] {
      runtime_.AskLog([list](ReadableLog&) { list(); });
    });
  });
}

void Api::Stream(Call call) {
  if (draining_) return call.reply.Send(Problem(Code::kDraining, "the server is shutting down"));
  // Loops get a block just before its sequence is published, so a client may know effects of later records already.
  const uint64_t durable = std::max(runtime_.outbox().position(), runtime_.durable_sequence());
  if (!call.CheckPosition(durable)) return;
  const auto wrong = [&](const std::string& detail) {
    call.reply.Send(Problem(Code::kInvalidParameter, detail));
  };
  // A key may stand in the query: browsers' EventSource sends no headers.
  auto filter = EffectFilter::Parse(call.request, runtime_.plan_state()->plan(), {"since", "writeKey", "api_secret", "token"});
  if (!filter.ok()) return wrong(filter.error().message);
  // A client that connects again sends the address that it began with, and how far it has come.
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
  if (!stream_->Reserve()) {
    Response response = Problem(Code::kTooManyStreams,
                                fmt::format("{} clients listen, and no more may", EffectStream::kMaxSubscribers));
    response.headers.emplace_back("Retry-After", "10");
    return call.reply.Send(std::move(response));
  }
  // The id alone is no event; a client that is cut off before the first one comes back to this place.
  Response head{200,
                "text/event-stream",
                {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
                fmt::format("retry: 1000\nid: {}\n\n", ToText(from))};
  stream_->Subscribe(std::move(*filter), from, call.reply.Stream(std::move(head)));
}

}  // namespace attune
