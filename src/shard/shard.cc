#include "shard/shard.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr uint8_t kShardVersion = 2;  // 1: users have no `known` flag

}  // namespace

Shard::Shard(uint8_t number, std::shared_ptr<const Program> program, RecordReader* reader)
    : number_(number), program_(program), reader_(*reader), engine_(std::move(program)), history_(number) {
  engine_.set_before_change([this](UserState* user) { WriteOne(user); });
  next_batch_.DeleteShard(number_);  // the store's state is another plan's, unless Restore reads it
}

Shard::Outcome Shard::Apply(const LoggedRecord& record, std::string_view person, Effects* effects) {
  if (record.sequence <= position_) return {};
  position_ = record.sequence;
  if (record.type == static_cast<uint8_t>(RecordType::kTick)) {
    tick_pending_ = false;
    ByteReader in(record.payload);
    engine_.Advance(in.I64(), effects);
    return {};
  }
  if (!HoldsEvent(record.type)) return {};
  const Record event = Read(record, person);
  const Applied applied = engine_.Apply(event, effects);
  if (applied != Applied::kDuplicate) history_.Note(engine_.Find(event.user)->slot, record.sequence);
  return {applied, true};
}

Record Shard::Read(const LoggedRecord& record, std::string_view person) {
  auto event = reader_.Read(record.event());
  ATTUNE_CHECK(event.ok(), "a durable event can be read");
  event->sequence = record.sequence;
  if (!person.empty()) event->user = person;
  return *event;
}

bool Shard::Admit(const LoggedRecord& record, std::string_view person) { return engine_.Admit(Read(record, person)); }

Shard::Outcome Shard::ApplyAdmitted(const LoggedRecord& record, std::string_view person, Effects* effects) {
  position_ = record.sequence;
  const Record event = Read(record, person);
  const Applied applied = engine_.ApplyAdmitted(event, effects);
  history_.Note(engine_.Find(event.user)->slot, record.sequence);
  return {applied, true};
}

std::string Shard::EndUser(UserState* user, uint64_t sequence, bool keep) {
  ByteWriter state;
  WriteUser(*user, engine_.interner(), &state);
  if (keep) next_batch_.Put(keys::kEnded, keys::EndedName(number_, sequence), state.view());
  history_.NoteEnded(user->slot, user->id());
  engine_.End(user, user->now, nullptr);
  return state.Take();
}

void Shard::BeginSnapshot() {
  in_snapshot_ = true;
  snapshot_position_ = position_;
  batch_ = std::exchange(next_batch_, WriteBatch());
  history_.WriteTo([this](uint32_t slot) { return engine_.users()[slot].id(); }, position_, &batch_);
  to_write_ = engine_.TakeDirty();
  for (UserState* user : to_write_) user->in_snapshot = true;
}

void Shard::WriteOne(UserState* user) {
  if (!user->in_snapshot) return;
  user->in_snapshot = false;
  if (user->ended) {
    if (!engine_.Find(user->id())) batch_.DeleteUser(number_, user->id());
    return;
  }
  bytes_.Clear();
  WriteUser(*user, engine_.interner(), &bytes_);
  batch_.PutUser(number_, user->id(), bytes_.view());
}

bool Shard::ContinueSnapshot(size_t users) {
  for (; users > 0 && !to_write_.empty(); --users) {
    WriteOne(to_write_.back());
    to_write_.pop_back();
  }
  return to_write_.empty();
}

WriteBatch Shard::TakeBatch() {
  in_snapshot_ = false;
  ByteWriter meta;
  meta.U8(kShardVersion);
  meta.U64(program_->plan->fingerprint);
  meta.U64(snapshot_position_);
  batch_.PutShard(number_, meta.view());
  return std::exchange(batch_, WriteBatch());
}

Result<std::optional<Shard::Snapshot>> Shard::SnapshotOf(const Store& store, uint8_t number) {
  const auto meta = store.GetShard(number);
  if (!meta.ok()) return meta.error();
  if (!meta->has_value()) return std::optional<Snapshot>();
  ByteReader in(**meta);
  const uint8_t version = in.U8();
  if (version > kShardVersion) {
    return Error{ErrorCode::kInvalid, fmt::format("the snapshot of shard {} has version {}, newer than this program reads ({}): use the newer "
                                                  "program that wrote it",
                                                  number, version, kShardVersion)};
  }
  Snapshot snapshot;
  snapshot.plan = in.U64();
  snapshot.position = in.U64();
  if (!in.done() || version < 1) return Error{ErrorCode::kCorrupt, fmt::format("the snapshot of shard {} cannot be read", number)};
  // Of an older version only the position is used. The state is treated as another plan's and rebuilt from the log.
  if (version < kShardVersion) snapshot.plan = 0;
  return std::optional<Snapshot>(snapshot);
}

Status Shard::Restore(const Store& store) {
  const auto snapshot = SnapshotOf(store, number_);
  if (!snapshot.ok()) return snapshot.error();
  if (!snapshot->has_value()) return {};
  const uint64_t position = found_position_ = (*snapshot)->position;
  // The state is another plan's. The log rebuilds it under this plan.
  if (!(*snapshot)->IsUnder(*program_->plan)) return {};
  Status failure;
  const Status read = store.ForEachUser(number_, [&](std::string_view id, std::string_view blob) {
    failure = engine_.Restore(id, blob);
    return failure.ok();
  });
  if (!failure.ok()) return failure;
  position_ = snapshot_position_ = position;
  next_batch_.Clear();
  history_.SetStored();
  return read;
}

}  // namespace attune
