#include "shard/plan_change.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <random>

#include "base/bytes.h"
#include "shard/record_type.h"

namespace attune {
namespace {

using State = PlanProgress::State;

// So many records may be left when the change is logged: while they are applied the loops wait.
constexpr uint64_t kNear = 2000;
constexpr int kNice = 3;  // half the weight of others: what serves goes first, and yet the change comes to an end

uint64_t NewToken() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

}  // namespace

PlanChange::PlanChange(std::unique_ptr<World> world, Host host)
    : host_(std::move(host)),
      token_(NewToken()),
      began_(host_.clock()),
      world_(std::move(world)),
      fingerprint_(world_->plan().fingerprint),
      thread_([this] { Run(); }) {}

PlanChange::~PlanChange() { Cancel(); }

void PlanChange::Cancel() {
  cancelled_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

PlanProgress PlanChange::progress() const {
  const std::lock_guard hold(mutex_);
  return {state_, fingerprint_, done_, host_.log->durable_sequence(), began_, failure_};
}

void PlanChange::Fail(std::string why) {
  const std::lock_guard hold(mutex_);
  state_ = cancelled_ ? State::kCancelled : State::kFailed;
  failure_ = std::move(why);
  changed_.notify_all();
}

bool PlanChange::ReadTo(LogReader* reader, uint64_t last) {
  if (last == 0) return true;
  reader->ReadTo(last);
  RecordView record;
  Effects effects;
  while (!cancelled_) {
    const auto more = reader->Next(&record);
    if (!more.ok()) {
      Fail(more.error().message);
      return false;
    }
    if (!*more) {
      done_ = last;
      return true;
    }
    world_->Apply(record, &effects);
    effects.transitions.clear();
    effects.firings.clear();
    done_ = record.sequence;
  }
  Fail("");
  return false;
}

void PlanChange::Run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  auto reader = LogReader::Open(host_.log_dir, 1, {.last_sequence = std::max<uint64_t>(1, host_.log->durable_sequence())});
  if (!reader.ok()) return Fail(reader.error().message);
  while (true) {
    const uint64_t last = host_.log->durable_sequence();
    if (!ReadTo(&*reader, last)) return;
    if (host_.log->durable_sequence() - last <= kNear) break;
  }
  {
    const std::lock_guard hold(mutex_);
    state_ = State::kChanging;
  }
  ByteWriter payload;
  payload.U64(token_);
  payload.I64(host_.clock());
  payload.U64(fingerprint_);
  const LogEntry entry{static_cast<uint8_t>(RecordType::kPlan), 0, payload.view()};
  uint64_t sequence = 0;
  bool answered = false;
  const Status status = host_.log->Append({&entry, 1}, [&](const Status& durable, uint64_t first) {
    const std::lock_guard hold(mutex_);
    answered = true;
    if (durable.ok()) sequence = first;
    changed_.notify_all();
  });
  if (!status.ok()) return Fail(status.error().message);
  {
    std::unique_lock hold(mutex_);
    changed_.wait(hold, [&] { return answered; });
  }
  if (sequence == 0) return Fail("the change could not be logged");
  if (!ReadTo(&*reader, sequence - 1)) return;
  for (const auto& shard : world_->shards()) shard->set_position(sequence);
  world_->CountSizes();
  (void)world_->size_history().Restore(*host_.store);  // else it begins anew
  std::unique_lock hold(mutex_);
  ready_ = true;
  changed_.notify_all();
  changed_.wait(hold, [&] { return old_ != nullptr || (cancelled_ && world_); });
  if (!old_) return;
  state_ = State::kDone;
  const auto old = std::move(old_);
  hold.unlock();
  // Whoever asks it something at this moment keeps it a little longer.
}

bool PlanChange::IsAt(const RecordView& record) const {
  ByteReader in(record.payload);
  return record.type == static_cast<uint8_t>(RecordType::kPlan) && in.U64() == token_;
}

std::unique_ptr<World> PlanChange::Take() {
  std::unique_lock hold(mutex_);
  changed_.wait(hold, [&] { return ready_ || state_ == State::kFailed || state_ == State::kCancelled; });
  return ready_ ? std::move(world_) : nullptr;
}

void PlanChange::Leave(std::shared_ptr<World> old) {
  const std::lock_guard hold(mutex_);
  old_ = std::move(old);
  changed_.notify_all();
}

}  // namespace attune
