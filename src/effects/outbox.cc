#include "effects/outbox.h"

#include <algorithm>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kRecoveryBatchBytes = 1 << 20;
// While writes to the store lag, memory may hold up to this many times its limit; beyond that, readers wait for the
// store.
constexpr size_t kMostMemory = 4;
constexpr size_t kEffectOverhead = sizeof(PublishedEffect) + 32;

EffectId LastOf(const std::vector<PublishedEffect>& block) { return block.back().id(); }

size_t BytesOf(const std::vector<PublishedEffect>& block) {
  size_t bytes = 0;
  for (const PublishedEffect& effect : block) bytes += effect.bytes().size() + kEffectOverhead;
  return bytes;
}

}  // namespace

Outbox::Outbox(Store* store, size_t lanes, OutboxOptions options)
    : store_(*store), options_(options), lanes_(lanes), marks_(options.max_effects, options.max_age) {}

// --- opening ---

Status Outbox::Restore() {
  const Status status = store_.ForEach(keys::kOutboxPublished, [&](std::string_view name, std::string_view value) {
    ByteReader in(value);
    const uint64_t position = in.U64();
    const auto shard = static_cast<uint8_t>(name.empty() ? kShards : name[0]);
    if (in.done() && shard < kShards) published_[shard] = position;
    return true;
  });
  return status;
}

Status Outbox::BeginRecovery(uint64_t last) {
  const std::lock_guard hold(mutex_);
  position_ = last;
  skip_ = last - std::min<uint64_t>(last, options_.max_effects);
  if (*std::min_element(published_.begin(), published_.end()) >= skip_) skip_ = 0;
  if (Status status = marks_.Restore(store_); !status.ok()) return status;
  WriteBatch batch;
  // The store of a program without an outbox: its snapshots include records whose effects were never kept. (This is the
  // last moment to detect it: once this recovery writes effects, the store looks like that of a complete outbox.)
  if (marks_.empty()) marks_.RaiseFloor(After(*std::max_element(published_.begin(), published_.end())), &batch);
  if (skip_ > 0) marks_.RaiseFloor(After(skip_), &batch);
  return store_.Write(batch);
}

Status Outbox::EndRecovery(Write write) {
  for (Lane& lane : lanes_) {
    lane.fresh.clear();
    PutPublished(&lane);
    if (Status status = store_.Write(lane.batch); !status.ok()) return status;
    lane.batch.Clear();
    lane.batch_bytes = 0;
  }
  const std::lock_guard hold(mutex_);
  if (Status status = marks_.CountStored(store_); !status.ok()) return status;
  for (Lane& lane : lanes_) lane.position = lane.applied = lane.stored = position_;
  ring_begin_ = After(position_);
  unwritten_bytes_ = 0;
  write_ = std::move(write);
  return {};
}

// --- a lane ---

void Outbox::Add(size_t number, uint8_t shard, uint64_t sequence, const Effects& effects, const Program& program, uint32_t first, bool last) {
  if (sequence <= published_[shard] || sequence <= skip_) return;
  std::vector<PublishedEffect> published;
  PublishEffects(sequence, effects, program, &published, first);
  Add(number, shard, sequence, std::move(published), last);
}

void Outbox::Add(size_t number, uint8_t shard, uint64_t sequence, std::vector<PublishedEffect> effects, bool last) {
  if (sequence <= published_[shard] || sequence <= skip_) return;
  Lane& lane = lanes_[number];
  const size_t before = lane.fresh.size();
  std::move(effects.begin(), effects.end(), std::back_inserter(lane.fresh));
  if (failed_) return;
  for (size_t i = before; i < lane.fresh.size(); ++i) {
    const PublishedEffect& effect = lane.fresh[i];
    lane.batch.Put(keys::kOutbox, EffectKey(effect.id()), effect.bytes());
    lane.batch_bytes += effect.bytes().size();
    unwritten_bytes_ += effect.bytes().size();
  }
  lane.published[shard] = last ? sequence : sequence - 1;
  if (write_) return;
  lane.fresh.clear();  // no reader yet: effects are read from the store
  if (lane.batch_bytes < kRecoveryBatchBytes) return;
  PutPublished(&lane);
  if (!store_.Write(lane.batch).ok()) return;  // kept and written again; EndRecovery reports the failure
  lane.batch.Clear();
  lane.batch_bytes = 0;
}

void Outbox::Passed(size_t number, uint64_t position) {
  Lane& lane = lanes_[number];
  lane.position = position;
  std::vector<std::function<void()>> due;
  bool idle;
  {
    const std::lock_guard hold(mutex_);
    std::move(lane.fresh.begin(), lane.fresh.end(), std::back_inserter(lane.waiting));
    // A paused shard lags behind the others of its lane.
    const auto earlier = [](const PublishedEffect& a, const PublishedEffect& b) { return a.id() < b.id(); };
    if (!lane.fresh.empty() && !std::is_sorted(lane.waiting.begin(), lane.waiting.end(), earlier)) {
      std::sort(lane.waiting.begin(), lane.waiting.end(), earlier);
    }
    lane.applied = position;
    if (Release(&due) && listener_) listener_();
    idle = lane.writes == 0;
  }
  lane.fresh.clear();
  for (const auto& then : due) then();
  if (idle) Flush(number);  // otherwise effects gather and go out as one batch
}

void Outbox::Flush(size_t number) {
  if (!write_) return;
  Lane& lane = lanes_[number];
  if (lane.batch.empty()) {
    const std::lock_guard hold(mutex_);
    if (lane.writes == 0 && !failed_) lane.stored = lane.position;
    return;
  }
  PutPublished(&lane);
  {
    const std::lock_guard hold(mutex_);
    ++lane.writes;
  }
  write_(std::exchange(lane.batch, WriteBatch()),
         [this, number, position = lane.position, bytes = std::exchange(lane.batch_bytes, 0)](bool written) {
           OnWritten(number, position, bytes, written);
         });
}

void Outbox::PutPublished(Lane* lane) {
  for (size_t shard = 0; shard < kShards; ++shard) {
    if (lane->published[shard] == 0) continue;
    ByteWriter value;
    value.U64(std::exchange(lane->published[shard], 0));
    lane->batch.Put(keys::kOutboxPublished, std::string(1, static_cast<char>(shard)), value.view());
  }
}

void Outbox::OnWritten(size_t number, uint64_t position, size_t bytes, bool written) {
  unwritten_bytes_ -= bytes;
  const std::lock_guard hold(mutex_);
  Lane& lane = lanes_[number];
  --lane.writes;
  if (written) {
    lane.stored = std::max(lane.stored, position);
  } else {
    failed_ = true;
  }
  Evict();
}

// --- all lanes ---

// Publishes the effects that every lane has passed. The mutex is held.
bool Outbox::Release(std::vector<std::function<void()>>* due) {
  uint64_t passed = lanes_.front().applied;
  for (const Lane& lane : lanes_) passed = std::min(passed, lane.applied);
  if (passed <= position_) return false;
  auto block = std::make_shared<Block>();
  for (Lane& lane : lanes_) {
    const auto middle = static_cast<Block::difference_type>(block->size());
    for (; !lane.waiting.empty() && lane.waiting.front().id().sequence <= passed; lane.waiting.pop_front()) {
      block->push_back(std::move(lane.waiting.front()));
    }
    std::inplace_merge(block->begin(), block->begin() + middle, block->end(),
                       [](const PublishedEffect& a, const PublishedEffect& b) { return a.id() < b.id(); });
  }
  position_ = passed;
  for (auto& [sequence, then] : expecting_) {
    if (sequence <= passed) due->push_back(std::move(then));
  }
  std::erase_if(expecting_, [&](const auto& expected) { return expected.first <= passed; });
  if (block->empty()) return false;
  marks_.Count(block->size(), LastOf(*block));
  ring_bytes_ += BytesOf(*block);
  ring_.push_back(std::move(block));
  Evict();
  return true;
}

void Outbox::Evict() {
  while (ring_bytes_ > options_.memory_bytes) {
    const Block& first = *ring_.front();
    if (LastOf(first).sequence > Stored() && ring_bytes_ <= kMostMemory * options_.memory_bytes) return;
    ring_begin_ = LastOf(first);
    ring_bytes_ -= BytesOf(first);
    ring_.pop_front();
  }
}

uint64_t Outbox::Stored() const {
  uint64_t stored = lanes_.front().stored;
  for (const Lane& lane : lanes_) stored = std::min(stored, lane.stored);
  return stored;
}

void Outbox::Trim(Millis now, WriteBatch* batch) {
  const std::lock_guard hold(mutex_);
  marks_.Trim(now, batch);
}

uint64_t Outbox::position() const {
  const std::lock_guard hold(mutex_);
  return position_;
}

EffectId Outbox::floor() const {
  const std::lock_guard hold(mutex_);
  return marks_.floor();
}

uint64_t Outbox::effects() const {
  const std::lock_guard hold(mutex_);
  return marks_.effects();
}

void Outbox::AddMetrics(Metrics* metrics) const {
  metrics->Gauge("attune_outbox_effects", "Changes and firings that are kept", [this] { return effects(); });
}

void Outbox::WhenPassed(uint64_t sequence, std::function<void()> then) {
  {
    const std::lock_guard hold(mutex_);
    if (sequence > position_) return expecting_.emplace_back(sequence, std::move(then)), void();
  }
  then();
}

void Outbox::SetListener(std::function<void()> listener) {
  const std::lock_guard hold(mutex_);
  listener_ = std::move(listener);
}

// --- reading ---

Result<Outbox::Page> Outbox::Read(EffectId cursor, size_t bytes) const {
  cursor = std::max(cursor, After(0));  // sequences count from 1
  EffectId up_to;
  bool published_beyond;
  {
    const std::lock_guard hold(mutex_);
    Page page;
    page.gone = cursor < marks_.floor();
    page.next = cursor;
    if (page.gone) return page;
    if (cursor >= ring_begin_) {
      auto block = std::partition_point(ring_.begin(), ring_.end(), [&](const auto& b) { return LastOf(*b) <= cursor; });
      for (size_t taken = 0; block != ring_.end() && taken < bytes; ++block) {
        taken += BytesOf(**block);
        page.blocks.push_back(*block);
      }
      page.more = block != ring_.end();
      page.next = page.more ? LastOf(*page.blocks.back()) : std::max(cursor, After(position_));
      return page;
    }
    up_to = std::min(ring_begin_, After(Stored()));
    published_beyond = up_to == ring_begin_ && !ring_.empty();
  }
  auto page = ReadStore(cursor, up_to, bytes);
  if (page.ok()) {
    page->more |= published_beyond;
    // A trim during the read may have removed effects from the middle of the page.
    page->gone = cursor < floor();
  }
  return page;
}

Result<Outbox::Page> Outbox::ReadStore(EffectId cursor, EffectId up_to, size_t bytes) const {
  Page page;
  page.next = std::max(cursor, up_to);
  auto block = std::make_shared<Block>();
  size_t taken = 0;
  const Status status = store_.ForEach(
      keys::kOutbox,
      [&](std::string_view key, std::string_view value) {
        const auto id = EffectOfKey(key);
        if (!id || *id > up_to) return false;
        auto effect = PublishedEffect::Parse(*id, value);
        if (!effect) return true;
        block->push_back(std::move(*effect));
        taken += value.size() + kEffectOverhead;
        page.more = taken >= bytes;
        return !page.more;
      },
      EffectKey(cursor) + '\0');
  if (!status.ok()) return status.error();
  if (page.more) page.next = LastOf(*block);
  if (!block->empty()) page.blocks.push_back(std::move(block));
  return page;
}

Status Outbox::ForEachBackwards(const std::function<bool(const PublishedEffect&)>& visit) const {
  std::deque<std::shared_ptr<const Block>> ring;
  EffectId begin, floor;
  {
    const std::lock_guard hold(mutex_);
    ring = ring_;
    begin = ring_begin_;
    floor = marks_.floor();
  }
  for (; !ring.empty(); ring.pop_back()) {
    for (size_t i = ring.back()->size(); i-- > 0;) {
      if (!visit((*ring.back())[i])) return {};
    }
  }
  return store_.ForEachBackwards(
      keys::kOutbox,
      [&](std::string_view key, std::string_view value) {
        const auto id = EffectOfKey(key);
        if (!id || *id <= floor) return false;
        const auto effect = PublishedEffect::Parse(*id, value);
        return !effect || visit(*effect);
      },
      EffectKey(begin) + '\0');
}

}  // namespace attune
