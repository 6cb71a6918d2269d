#include "memory_log/memory_log.h"

#include <algorithm>

namespace attune {
namespace {

constexpr size_t kCountedBytes = 20;

class MemoryReader : public LogReader {
 public:
  MemoryReader(std::shared_ptr<MemoryRecords> records, uint64_t from, uint64_t last) : records_(std::move(records)), next_(from), last_(last) {}

  Result<DurableBlock> NextBlock() override {
    DurableBlock block = records_->BlockFrom(next_, last_);
    if (block) next_ = block->last_sequence() + 1;
    return block;
  }
  void ReadTo(uint64_t last_sequence) override { last_ = last_sequence; }

 private:
  const std::shared_ptr<MemoryRecords> records_;
  uint64_t next_;
  uint64_t last_;
};

// Lists the records in the block's bytes, given their heads and the ends of their payloads.
void List(const std::vector<std::pair<RecordView, size_t>>& records, RecordBlock* block) {
  size_t begin = 0;
  for (const auto& [head, end] : records) {
    RecordView& record = block->records.emplace_back(head);
    record.payload = std::string_view(block->bytes).substr(begin, end - begin);
    begin = end;
  }
}

}  // namespace

uint64_t MemoryRecords::last_sequence() const {
  const std::lock_guard hold(mutex_);
  return blocks_.empty() ? 0 : blocks_.back()->last_sequence();
}

void MemoryRecords::Add(DurableBlock block) {
  const std::lock_guard hold(mutex_);
  blocks_.push_back(std::move(block));
}

DurableBlock MemoryRecords::BlockFrom(uint64_t from, uint64_t last) const {
  const std::lock_guard hold(mutex_);
  const auto found = std::lower_bound(blocks_.begin(), blocks_.end(), from,
                                      [](const DurableBlock& block, uint64_t sequence) { return block->last_sequence() < sequence; });
  if (found == blocks_.end() || (*found)->first_sequence() > last || from > last) return nullptr;
  if ((*found)->first_sequence() >= from && (*found)->last_sequence() <= last) return *found;
  auto part = std::make_shared<RecordBlock>();
  std::vector<std::pair<RecordView, size_t>> records;
  for (const RecordView& record : (*found)->records) {
    if (record.sequence < from || record.sequence > last) continue;
    part->bytes.append(record.payload);
    records.emplace_back(record, part->bytes.size());
  }
  List(records, part.get());
  return part;
}

MemoryLog::MemoryLog(Options options)
    : options_(std::move(options)),
      next_sequence_(options_.records->last_sequence() + 1),
      durable_sequence_(options_.records->last_sequence()),
      worker_(options_.workers->Start("attune-log", [this] { return Step(); })) {}

MemoryLog::~MemoryLog() { Close(); }

void MemoryLog::Close() {
  {
    const std::lock_guard hold(mutex_);
    closing_ = true;
  }
  if (std::exchange(closed_, true)) return;
  worker_->Wake();
  worker_->Join();
}

Status MemoryLog::Append(std::span<const LogEntry> entries, Callback callback) {
  size_t added = 0;
  for (const LogEntry& entry : entries) {
    if (entry.type == 0 || entry.payload.size() > kMaxPayloadBytes) return Error{ErrorCode::kInvalid, "no record has this type or size"};
    added += kCountedBytes + entry.payload.size();
  }
  if (added == 0 || added > options_.max_pending_bytes) return Error{ErrorCode::kInvalid, "no append has this size"};
  {
    const std::lock_guard hold(mutex_);
    if (closing_) return Error{ErrorCode::kUnavailable, "the log is closed"};
    if (pending_bytes_ > 0 && pending_bytes_ + added > options_.max_pending_bytes) {
      return Error{ErrorCode::kUnavailable, "too many bytes are pending"};
    }
    pending_bytes_ += added;
    filling_.counted_bytes += added;
    filling_.waiters.emplace_back(next_sequence_, std::move(callback));
    for (const LogEntry& entry : entries) {
      filling_.bytes.append(entry.payload);
      filling_.records.push_back({{next_sequence_++, entry.type, entry.shard, {}}, filling_.bytes.size()});
    }
  }
  worker_->Wake();
  return {};
}

Worker::Next MemoryLog::Step() {
  Group group;
  {
    const std::lock_guard hold(mutex_);
    if (filling_.records.empty()) return closing_ ? Worker::Next::Done() : Worker::Next::WhenWoken();
    group = std::exchange(filling_, Group());
    pending_bytes_ -= group.counted_bytes;
  }
  auto block = std::make_shared<RecordBlock>();
  block->bytes = std::move(group.bytes);
  List(group.records, block.get());
  options_.records->Add(block);
  if (options_.on_durable) options_.on_durable(block);
  durable_sequence_.store(block->last_sequence(), std::memory_order_release);
  for (const auto& [first_sequence, callback] : group.waiters) {
    if (callback) callback({}, first_sequence);
  }
  return Worker::Next::Now();
}

size_t MemoryLog::pending_bytes() const {
  const std::lock_guard hold(mutex_);
  return pending_bytes_;
}

Result<std::unique_ptr<LogReader>> MemoryLog::NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence) {
  return std::unique_ptr<LogReader>(
      std::make_unique<MemoryReader>(options_.records, from_sequence, last_sequence.value_or(durable_sequence())));
}

Result<std::vector<std::optional<FoundRecord>>> MemoryLog::Read(std::span<const uint64_t> sequences) {
  std::vector<std::optional<FoundRecord>> found(sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const DurableBlock block = sequences[i] == 0 ? nullptr : options_.records->BlockFrom(sequences[i], sequences[i]);
    if (!block) continue;
    const RecordView& record = block->records.front();
    found[i] = FoundRecord{record.type, record.shard, std::string(record.payload)};
  }
  return found;
}

OpenLog MemoryLogWith(MemoryLog::Options options) {
  return [options = std::move(options)](LogFollower follower) -> Result<std::unique_ptr<Log>> {
    MemoryLog::Options with = options;
    with.on_durable = std::move(follower);
    return std::unique_ptr<Log>(std::make_unique<MemoryLog>(std::move(with)));
  };
}

}  // namespace attune
