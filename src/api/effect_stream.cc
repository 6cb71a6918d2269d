#include "api/effect_stream.h"

#include <algorithm>

namespace attune {
namespace {

using std::chrono::milliseconds;

// Proxies and clients close a connection that is silent for about a minute.
constexpr auto kHeartbeat = std::chrono::seconds(15);
// How often clients are checked when nothing is published: whether they left, and whether they can take more.
constexpr auto kIdleLook = milliseconds(1000);
constexpr auto kHeldBackLook = milliseconds(20);
// A client gets no more while this much waits for it: far below HttpLimits::stream_buffer_bytes.
constexpr size_t kMostWaitingBytes = 256 << 10;
// How much a client gets in one turn, and the groups of effects that are read for it: an effect's line is about ten times as
// long as the effect in a group.
constexpr size_t kTurnBytes = 64 << 10;
constexpr size_t kPageBytes = 8 << 10;

void AppendEvent(const PublishedEffect& effect, std::string* out) {
  *out += "id: ";
  *out += ToText(effect.id);
  *out += effect.kind == EffectKind::kFiring ? "\nevent: firing\ndata: " : "\nevent: transition\ndata: ";
  *out += effect.Json();  // one line
  *out += "\n\n";
}

}  // namespace

EffectStream::EffectStream(Outbox* outbox) : outbox_(*outbox), thread_([this] { Run(); }) {
  listening_for_effects_ = outbox_.Listen([this] {
    if (subscribers_ == 0) return;
    {
      const std::lock_guard hold(mutex_);
      published_ = true;
    }
    work_.notify_one();
  });
}

EffectStream::~EffectStream() {
  listening_for_effects_.reset();
  {
    const std::lock_guard hold(mutex_);
    closing_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void EffectStream::AddMetrics(Metrics* metrics) const {
  metrics->Gauge("attune_stream_clients", "Clients that listen to the stream", [this] { return subscribers_.load(); });
  metrics->Counter("attune_stream_clients_cut_total", "Clients cut off for reading too slowly",
                   [this] { return cut_.load(); });
}

bool EffectStream::Reserve() {
  if (++subscribers_ <= kMaxSubscribers) return true;
  --subscribers_;
  return false;
}

void EffectStream::Subscribe(EffectFilter filter, EffectId from, StreamWriter writer) {
  {
    const std::lock_guard hold(mutex_);
    arrived_.push_back({std::move(filter), from, std::move(writer), Clock::now()});
  }
  work_.notify_one();
}

void EffectStream::Run() {
  auto pause = Clock::duration(kIdleLook);
  while (true) {
    {
      std::unique_lock hold(mutex_);
      work_.wait_for(hold, pause, [&] { return closing_ || published_ || !arrived_.empty(); });
      if (closing_) break;
      published_ = false;
      listening_.splice(listening_.end(), arrived_);
    }
    pause = kIdleLook;
    pages_.clear();
    const auto now = Clock::now();
    for (auto subscriber = listening_.begin(); subscriber != listening_.end();) {
      const Served served = Serve(&*subscriber, now);
      if (served == Served::kGone) {
        if (subscriber->writer.cut()) ++cut_;
        subscriber = listening_.erase(subscriber);
        --subscribers_;
        continue;
      }
      if (served == Served::kSome) pause = Clock::duration(0);
      if (served == Served::kHeldBack) pause = std::min<Clock::duration>(pause, kHeldBackLook);
      ++subscriber;
    }
  }
  listening_.clear();
}

const Outbox::Page* EffectStream::PageAt(EffectId cursor) {
  const auto known = pages_.find(cursor);
  if (known != pages_.end()) return &known->second;
  auto page = outbox_.Read(cursor, kPageBytes);
  if (!page.ok()) return nullptr;
  return &pages_.emplace(cursor, std::move(*page)).first->second;
}

EffectStream::Served EffectStream::Serve(Subscriber* subscriber, Clock::time_point now) {
  if (!subscriber->writer.open()) return Served::kGone;
  if (subscriber->writer.waiting_bytes() > kMostWaitingBytes) return Served::kHeldBack;
  const Outbox::Page* page = PageAt(subscriber->cursor);
  // When the client reconnects with its last id, the answer says why.
  if (!page || page->gone()) return Served::kGone;
  std::string out;
  bool whole = true;
  for (const PublishedEffect& effect : page->effects) {
    whole = out.size() < kTurnBytes;
    if (!whole) break;
    if (subscriber->filter.Takes(effect)) AppendEvent(effect, &out);
    subscriber->cursor = effect.id;
  }
  if (whole) subscriber->cursor = page->next;
  if (out.empty() && now - subscriber->written >= kHeartbeat) {
    // An id without data dispatches no event, and moves the client's cursor.
    out = ": \nid: " + ToText(subscriber->cursor) + "\n\n";
  }
  if (!out.empty()) {
    subscriber->written = now;
    if (!subscriber->writer.Write(out)) return Served::kGone;
  }
  return whole && !page->more ? Served::kAll : Served::kSome;
}

}  // namespace attune
