#include "simulator/clients.h"

#include <algorithm>

#include "base/bytes.h"
#include "event/event.h"
#include "log/shard_of.h"

namespace attune::simulate {
namespace {

std::string EventBytes(const oracle::Record& record) {
  std::string bytes;
  EncodeEvent(oracle::HeadOf(record), record.json, &bytes);
  return bytes;
}

}  // namespace

Clients::Clients(const std::vector<oracle::Record>* records, size_t letters, oracle::Random* random, Machine* machine,
                 Chronicle* chronicle)
    : records_(records), random_(*random), machine_(*machine), chronicle_(*chronicle) {
  for (size_t i = 0; i < records->size(); ++i) {
    sent_.push_back({RecordType::kEvent, 0, EventBytes((*records)[i]), i, 0});
    to_send_.push_back(i);
  }
  for (size_t i = 0; i < letters; ++i) {
    const auto place = static_cast<std::ptrdiff_t>(random_.Below(static_cast<int64_t>(to_send_.size()) + 1));
    to_send_.insert(to_send_.begin() + place, sent_.size());
    const auto shard = static_cast<uint8_t>(random_.Below(kShards));
    sent_.push_back({RecordType::kDeadLetter, shard, fmt::format(R"({{"letter":{}}})", i), std::nullopt, 0});
  }
  for (size_t i = 0; i < sent_.size(); ++i) known_.emplace(sent_[i].payload, i);
}

bool Clients::IsLink(size_t sent) const {
  if (!sent_[sent].record) return false;
  const oracle::Record& record = (*records_)[*sent_[sent].record];
  return (record.kind == EventKind::kIdentify || record.kind == EventKind::kAlias) && !record.anonymous.empty();
}

bool Clients::Send(size_t most) {
  std::vector<size_t> batch;
  bool links = false;
  for (auto count = random_.From(1, static_cast<int64_t>(most)); count > 0 && !to_send_.empty(); --count) {
    batch.push_back(to_send_.front());
    links |= IsLink(to_send_.front());
    to_send_.pop_front();
  }
  if (batch.empty()) return false;
  if (const auto last = sent_[batch.back()].record; last && random_.Percent(60)) {
    machine_.SetClock(std::max(machine_.now(), (*records_)[*last].time + random_.Below(3)));
  }
  Deliver(std::move(batch));
  return links;
}

void Clients::SendAgain() {
  const auto any = static_cast<size_t>(random_.Below(static_cast<int64_t>(sent_.size()) + 1));
  if (any >= sent_.size() || sent_[any].sequence == 0 || sent_[any].type == RecordType::kReplayed) return;
  ++counts_.sent_again;
  Deliver({any});
}

void Clients::Replay() {
  std::vector<size_t> letters;
  for (size_t i = 0; i < sent_.size(); ++i) {
    if (sent_[i].type == RecordType::kDeadLetter && sent_[i].sequence > 0) letters.push_back(i);
  }
  if (letters.empty() || to_send_.empty() || !sent_[to_send_.front()].record) return;
  const Sent& letter = sent_[random_.Pick(letters)];
  ByteWriter payload;
  payload.U64(letter.sequence);
  Sent replay{RecordType::kReplayed, letter.shard, payload.Take(), std::nullopt, 0};
  const auto [known, added] = known_.emplace(replay.payload, sent_.size());
  if (added) sent_.push_back(std::move(replay));
  const size_t event = to_send_.front();
  to_send_.pop_front();
  Deliver({event, known->second});
}

void Clients::Unmerge(const std::string& id) {
  const size_t number = unmerged_.size();
  unmerged_.push_back({id, machine_.now(), 0});
  const auto answer = [this, number, process = process_](const Status& durable, uint64_t first) {
    if (process != process_) return;
    chronicle_.Tell("un-merge {}: {}", number, durable.ok() ? fmt::format("accepted as {}", first) : durable.error().message);
    if (durable.ok()) unmerged_[number].sequence = first;
    counts_.unmerges += durable.ok();
  };
  chronicle_.Tell("un-merge {}, of \"{}\"", number, id);
  const Status taken = machine_.runtime().UndoMerge(id, answer);
  if (!taken.ok()) answer(taken, 0);
}

void Clients::Deliver(std::vector<size_t> batch) {
  std::vector<NewRecord> records;
  for (const size_t i : batch) {
    const Sent& sent = sent_[i];
    records.push_back(sent.type == RecordType::kEvent ? NewRecord::Event(oracle::HeadOf((*records_)[*sent.record]), sent.payload)
                                                      : NewRecord{sent.type, sent.shard, sent.payload});
  }
  const uint64_t request = ++requests_;
  in_flight_[request] = std::move(batch);
  const Status taken = machine_.Append(records, [this, request, process = process_](const Status& durable, uint64_t first) {
    if (process == process_) Answer(request, durable, first);
  });
  if (!taken.ok()) Answer(request, taken, 0);
}

void Clients::Answer(uint64_t request, const Status& durable, uint64_t first) {
  const std::vector<size_t> batch = std::move(in_flight_[request]);
  in_flight_.erase(request);
  chronicle_.Tell("request {} of {} records: {}", request, batch.size(),
                  durable.ok() ? fmt::format("accepted as {}", first) : durable.error().message);
  for (size_t i = 0; i < batch.size(); ++i) {
    Sent& sent = sent_[batch[i]];
    if (durable.ok()) {
      if (sent.sequence == 0) sent.sequence = first + i;
      accepted_.push_back({first + i, batch[i]});
    } else if (sent.sequence == 0 && sent.type != RecordType::kReplayed) {
      to_send_.push_back(batch[i]);
    }
  }
  counts_.refused += !durable.ok();
}

void Clients::OnProcessGone() {
  ++process_;
  in_flight_.clear();
}

bool Clients::IsKnown(const LogRecord& record) const {
  if (record.type == RecordType::kTick || record.type == RecordType::kPlan) return true;
  if (record.type == RecordType::kUndoMerge) {
    const UnmergeRecord unmerge = ReadUnmerge(record);
    return std::any_of(unmerged_.begin(), unmerged_.end(),
                       [&](const Unmerged& sent) { return sent.id == unmerge.id && sent.at == unmerge.at; });
  }
  const auto known = known_.find(record.payload);
  if (known == known_.end()) return false;
  const Sent& sent = sent_[known->second];
  return sent.type == RecordType::kEvent ? HoldsEvent(static_cast<uint8_t>(record.type))
                                         : sent.type == record.type && sent.shard == record.shard;
}

bool Clients::TakeStock(const LogContents& log) {
  for (const LogRecord& record : log) {
    if (!IsKnown(record)) return chronicle_.Fail(Promise::kLog, fmt::format("record {} holds what nobody sent", record.sequence));
  }
  for (const Accepted& accepted : accepted_) {
    if (accepted.sequence > log.size() || log[accepted.sequence - 1].payload != sent_[accepted.sent].payload) {
      return chronicle_.Fail(Promise::kLog, fmt::format("what was answered as accepted with number {} is not there", accepted.sequence));
    }
  }
  for (const Unmerged& unmerged : unmerged_) {
    if (unmerged.sequence == 0) continue;
    if (unmerged.sequence > log.size() || log[unmerged.sequence - 1].type != RecordType::kUndoMerge ||
        ReadUnmerge(log[unmerged.sequence - 1]).id != unmerged.id) {
      return chronicle_.Fail(Promise::kLog, fmt::format("an un-merge was answered as accepted with number {} and is not there", unmerged.sequence));
    }
  }
  to_send_.clear();
  for (size_t i = 0; i < sent_.size(); ++i) {
    if (sent_[i].sequence == 0 && sent_[i].type != RecordType::kReplayed) to_send_.push_back(i);
  }
  return true;
}

}  // namespace attune::simulate
