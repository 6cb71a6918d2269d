#include "effects/outbox.h"

#include <algorithm>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr size_t kRecoveryBatchBytes = 1 << 20;
constexpr size_t kGroupBytes = 64 << 10;
// While writes to the store lag, memory may hold up to this many times its limit; beyond that, readers wait for the
// store.
constexpr size_t kMostMemory = 4;
constexpr size_t kGroupOverhead = sizeof(EffectGroup) + 64;
// Records that are searched at first for the newest effects; twice as many each time.
constexpr uint64_t kBackwardsSpan = 4 * EffectGroup::kMaxSpan;

}  // namespace

Outbox::Outbox(Store* store, size_t lanes, OutboxOptions options)
    : store_(*store), options_(options), lanes_(lanes), marks_(options.max_effects, options.max_age, options.held) {}

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
  if (Status status = consumers_.Restore(store_, marks_.floor()); !status.ok()) return status;
  WriteBatch batch;
  // The store of a program without an outbox: its snapshots include records whose effects were never kept. (This is the
  // last moment to detect it: once this recovery writes effects, the store looks like that of a complete outbox.)
  if (marks_.empty()) marks_.RaiseFloor(After(*std::max_element(published_.begin(), published_.end())), &batch);
  if (skip_ > 0) marks_.RaiseFloor(After(skip_), &batch);
  consumers_.RaiseFloor(marks_.floor(), 0);
  return store_.Write(batch);
}

Status Outbox::EndRecovery(Write write) {
  for (Lane& lane : lanes_) {
    if (Status status = WriteRecovered(&lane); !status.ok()) return status;
  }
  const std::lock_guard hold(mutex_);
  if (Status status = marks_.CountStored(store_); !status.ok()) return status;
  for (Lane& lane : lanes_) lane.position = lane.applied = lane.stored = position_;
  ring_begin_ = After(position_);
  unwritten_bytes_ = 0;
  write_ = std::move(write);
  return {};
}

Status Outbox::WriteRecovered(Lane* lane) {
  CloseGroup(lane);
  PutPublished(lane);
  if (Status status = store_.Write(lane->batch); !status.ok()) return status;
  lane->batch.Clear();
  lane->batch_bytes = 0;
  return {};
}

// --- a lane ---

void Outbox::AddTo(EffectGroupWriter* open, std::vector<Group>* groups, const PublishedEffect& effect) {
  if (!open->MayAdd(effect.id) || open->bytes() > kGroupBytes) groups->push_back(std::make_shared<const EffectGroup>(open->Take()));
  open->Add(effect);
}

void Outbox::Add(size_t number, uint8_t shard, uint64_t sequence, const Effects& effects, const Program& program, uint32_t first, bool last) {
  if (!options_.enabled || IsPublished(shard, sequence)) return;
  Lane& lane = lanes_[number];
  auto parts = std::find_if(lane.parts.begin(), lane.parts.end(), [&](const auto& part) { return part.first == shard; });
  if (!last) {
    // Nothing of the record is written before all of it: the next process would write it once more, in other groups.
    if (parts == lane.parts.end()) parts = lane.parts.insert(lane.parts.end(), {shard, {}});
    EffectGroupWriter open;
    ForEachEffect(sequence, effects, program, first, [&](const PublishedEffect& effect) { AddTo(&open, &parts->second, effect); });
    if (!open.empty()) parts->second.push_back(std::make_shared<const EffectGroup>(open.Take()));
    return;
  }
  if (parts != lane.parts.end()) {
    for (Group& group : parts->second) Keep(&lane, std::move(group));
    lane.parts.erase(parts);
  }
  std::vector<Group> closed;
  ForEachEffect(sequence, effects, program, first, [&](const PublishedEffect& effect) { AddTo(&lane.open, &closed, effect); });
  for (Group& group : closed) Keep(&lane, std::move(group));
  if (failed_) return;
  lane.published[shard] = sequence;
  // No reader comes before recovery has ended. What cannot be written now is written again by EndRecovery, which reports it.
  if (!write_ && lane.batch_bytes >= kRecoveryBatchBytes) (void)WriteRecovered(&lane);
}

void Outbox::CloseGroup(Lane* lane) {
  if (!lane->open.empty()) Keep(lane, std::make_shared<const EffectGroup>(lane->open.Take()));
}

void Outbox::Keep(Lane* lane, Group group) {
  if (!failed_) {
    lane->batch.Put(keys::kOutbox, EffectKey(group->first()), group->bytes());
    lane->batch_bytes += group->bytes().size();
    unwritten_bytes_ += group->bytes().size();
  }
  if (write_) lane->fresh.push_back(std::move(group));
}

void Outbox::Passed(size_t number, uint64_t position) {
  Lane& lane = lanes_[number];
  lane.position = position;
  CloseGroup(&lane);
  std::vector<std::function<void()>> due;
  bool idle;
  {
    const std::lock_guard hold(mutex_);
    std::move(lane.fresh.begin(), lane.fresh.end(), std::back_inserter(lane.waiting));
    // A paused shard lags behind the others of its lane.
    const auto by_first = [](const Group& a, const Group& b) { return a->first() < b->first(); };
    if (!lane.fresh.empty() && !std::is_sorted(lane.waiting.begin(), lane.waiting.end(), by_first)) {
      std::sort(lane.waiting.begin(), lane.waiting.end(), by_first);
    }
    lane.applied = position;
    if (Release(&due)) {
      for (const auto& listener : listeners_) listener();
    }
    idle = lane.writes == 0;
  }
  lane.fresh.clear();
  for (const auto& then : due) then();
  if (idle) Flush(number);  // otherwise effects gather and go out as one batch
}

void Outbox::Flush(size_t number) {
  if (!write_) return;
  Lane& lane = lanes_[number];
  CloseGroup(&lane);
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
  const size_t before = ring_.size();
  // In blocks of few records, so that a page is never much more than was asked for.
  while (position_ < passed) {
    uint64_t first = passed;
    for (const Lane& lane : lanes_) {
      if (!lane.waiting.empty()) first = std::min(first, std::max(lane.waiting.front()->first().sequence, position_ + 1));
    }
    ReleaseBlock(std::min(passed, first + EffectGroup::kMaxSpan));
  }
  for (auto& [sequence, then] : expecting_) {
    if (sequence <= passed) due->push_back(std::move(then));
  }
  std::erase_if(expecting_, [&](const auto& expected) { return expected.first <= passed; });
  const bool published = ring_.size() > before;
  Evict();
  return published;
}

// Publishes the effects of the records up to `to`.
void Outbox::ReleaseBlock(uint64_t to) {
  Block block{After(position_), After(to), {}, {}, 0};
  size_t effects = 0;
  for (Lane& lane : lanes_) {
    auto kept = lane.waiting.begin(), next = kept;
    for (; next != lane.waiting.end() && (*next)->first() <= block.to; ++next) {
      const Group group = std::move(*next);
      std::vector<PublishedEffect> within;  // of a group that is not all in the block: its lane has passed less than it has applied
      const bool whole = group->first() > block.from && group->last() <= block.to;
      if (!whole) group->Read(block.from, block.to, &within);
      if (whole || !within.empty()) {
        effects += whole ? group->size() : within.size();
        block.last = std::max(block.last, whole ? group->last() : within.back().id);
        block.bytes += group->bytes().size() + kGroupOverhead;
        block.groups.push_back(group);
      }
      if (group->last() > block.to) *kept++ = group;
    }
    lane.waiting.erase(kept, next);
  }
  position_ = to;
  if (effects == 0) return;
  marks_.Count(effects, block.last);
  ring_bytes_ += block.bytes;
  ring_.push_back(std::move(block));
}

void Outbox::Evict() {
  while (ring_bytes_ > options_.memory_bytes) {
    const Block& first = ring_.front();
    if (first.last.sequence > Stored() && ring_bytes_ <= kMostMemory * options_.memory_bytes) return;
    ring_begin_ = first.last;
    ring_bytes_ -= first.bytes;
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
  const uint64_t evicted = marks_.Trim(now, consumers_.Slowest(), batch);
  if (evicted > 0) consumers_.RaiseFloor(marks_.floor(), evicted);
  consumers_.Put(batch);
}

// --- consumers ---

Status Outbox::AddConsumer(std::string_view name) {
  WriteBatch batch;
  {
    const std::lock_guard hold(mutex_);
    if (consumers_.Has(name)) return {};
    consumers_.Add(name, After(position_));
    consumers_.Put(&batch);
  }
  Status written = store_.Write(batch, true);
  if (!written.ok()) RemoveConsumer(name);
  return written;
}

void Outbox::RemoveConsumer(std::string_view name) {
  const std::lock_guard hold(mutex_);
  consumers_.Remove(name);
}

void Outbox::Acknowledge(std::string_view name, EffectId id) {
  const std::lock_guard hold(mutex_);
  consumers_.Acknowledge(name, std::min(id, After(position_)));
}

EffectId Outbox::PositionOf(std::string_view name) const {
  const std::lock_guard hold(mutex_);
  return consumers_.PositionOf(name);
}

// --- what there is ---

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
  const auto add_of_each = [this](const Metrics::Add& add, const std::function<uint64_t(const OutboxConsumers::Consumer&)>& value) {
    const std::lock_guard hold(mutex_);
    for (const auto& [name, consumer] : consumers_.consumers()) add(name, value(consumer));
  };
  metrics->GaugeFamily("attune_outbox_consumer_records_behind", "Records between a consumer's position and the newest published one",
                       "consumer", [this, add_of_each](const Metrics::Add& add) {
                         add_of_each(add, [this](const auto& consumer) { return position_ - std::min(position_, consumer.position.sequence); });
                       });
  metrics->CounterFamily("attune_outbox_consumer_gaps_total", "How often changes and firings were evicted before a consumer had them",
                         "consumer", [add_of_each](const Metrics::Add& add) { add_of_each(add, [](const auto& consumer) { return consumer.gaps; }); });
  metrics->CounterFamily("attune_outbox_consumer_lost_total", "Changes and firings, about, that were evicted before a consumer had them",
                         "consumer",
                         [add_of_each](const Metrics::Add& add) { add_of_each(add, [](const auto& consumer) { return consumer.lost; }); });
}

void Outbox::WhenPassed(uint64_t sequence, std::function<void()> then) {
  {
    const std::lock_guard hold(mutex_);
    if (sequence > position_) return expecting_.emplace_back(sequence, std::move(then)), void();
  }
  then();
}

std::unique_ptr<Outbox::Listening> Outbox::Listen(std::function<void()> listener) {
  const std::lock_guard hold(mutex_);
  return std::unique_ptr<Listening>(new Listening(this, listeners_.insert(listeners_.end(), std::move(listener))));
}

Outbox::Listening::~Listening() {
  const std::lock_guard hold(outbox_.mutex_);
  outbox_.listeners_.erase(listener_);
}

// --- reading ---

Result<Outbox::Page> Outbox::Read(EffectId cursor, size_t bytes) const {
  cursor = std::max(cursor, After(0));  // sequences count from 1
  Page page;
  std::vector<Block> blocks;
  EffectId up_to;
  bool in_memory, published_beyond;
  {
    const std::lock_guard hold(mutex_);
    if (cursor < marks_.floor()) {
      page.next = page.gone_up_to = marks_.floor();
      page.more = page.next < After(position_);
      return page;
    }
    in_memory = cursor >= ring_begin_;
    if (in_memory) {
      auto block = std::partition_point(ring_.begin(), ring_.end(), [&](const Block& b) { return b.last <= cursor; });
      for (size_t taken = 0; block != ring_.end() && taken < bytes; ++block) {
        taken += block->bytes;
        blocks.push_back(*block);
      }
      page.more = block != ring_.end();
      page.next = page.more ? blocks.back().last : std::max(cursor, After(position_));
    }
    up_to = std::min(ring_begin_, After(Stored()));
    published_beyond = up_to == ring_begin_ && !ring_.empty();
  }
  if (in_memory) {
    for (const Block& block : blocks) {
      const auto effects = MergeGroups(block.groups, std::max(cursor, block.from), block.to);
      page.effects.insert(page.effects.end(), effects.begin(), effects.end());
      page.groups.insert(page.groups.end(), block.groups.begin(), block.groups.end());
    }
    return page;
  }
  auto stored = ReadStoredEffects(store_, cursor, up_to, bytes);
  if (!stored.ok()) return stored.error();
  static_cast<EffectPage&>(page) = *std::move(stored);
  page.more |= published_beyond;
  // A trim during the read may have removed effects from the middle of the page.
  if (const EffectId floor_now = floor(); cursor < floor_now) {
    page = Page();
    page.next = page.gone_up_to = floor_now;
    page.more = true;
  }
  return page;
}

Status Outbox::ForEachBackwards(const std::function<bool(const PublishedEffect&)>& visit) const {
  std::deque<Block> ring;
  EffectId begin, floor;
  {
    const std::lock_guard hold(mutex_);
    ring = ring_;
    begin = ring_begin_;
    floor = marks_.floor();
  }
  const auto visit_all = [&](const std::vector<PublishedEffect>& effects) {
    return std::all_of(effects.rbegin(), effects.rend(), visit);
  };
  for (; !ring.empty(); ring.pop_back()) {
    if (!visit_all(MergeGroups(ring.back().groups, ring.back().from, ring.back().to))) return {};
  }
  for (uint64_t span = kBackwardsSpan; begin > floor; span *= 2) {
    const EffectId from = std::max(floor, After(begin.sequence - std::min(begin.sequence, span)));
    const auto page = ReadStoredEffects(store_, from, begin, SIZE_MAX);
    if (!page.ok()) return page.error();
    if (!visit_all(page->effects)) return {};
    if (!page->effects.empty()) span = kBackwardsSpan / 2;
    begin = from;
  }
  return {};
}

}  // namespace attune
