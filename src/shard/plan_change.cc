#include "shard/plan_change.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/bytes.h"
#include "log/record_type.h"

namespace attune {
namespace {

using State = PlanProgress::State;

// The change is logged when at most this many records are left. The loops wait while these are applied.
constexpr uint64_t kNear = 2000;
constexpr int kRecordsAStep = 2000;
constexpr int kNice = 3;  // half the weight of others: requests have priority, but the change still finishes

uint64_t NewToken() {
  std::random_device random;
  return (uint64_t{random()} << 32 | random()) | 1;
}

}  // namespace

PlanChanges::PlanChanges(Host host, Workers* workers) : host_(std::move(host)) {
  worker_ = workers->Start("attune-plan", [this] { return Step(); });
}

PlanChanges::~PlanChanges() {
  Close();
  {
    const std::lock_guard hold(mutex_);
    abandoned_ = true;
  }
  worker_->Wake();
  worker_->Join();
}

// --- any thread ---

bool PlanChanges::Request(std::shared_ptr<const Plan> plan, uint64_t present) {
  const uint64_t fingerprint = plan->fingerprint;
  bool changes = false;
  {
    const std::lock_guard hold(mutex_);
    if (closing_) return false;
    changes = fingerprint != (token_ != 0 ? logged_ : present);
    const bool under_way = stage_ == Stage::kReading || wanted_;
    wanted_ = changes ? std::move(plan) : nullptr;
    if (changes) {
      progress_ = {State::kReading, fingerprint, 0, 0, host_.clock(), ""};
    } else if (under_way) {
      progress_.state = State::kCancelled;
    }
    if (stage_ == Stage::kReading) stage_ = Stage::kIdle;  // cancelled: the worker sees it at its next step
  }
  worker_->Wake();
  return changes;
}

PlanProgress PlanChanges::progress() const {
  const std::lock_guard hold(mutex_);
  PlanProgress progress = progress_;
  if (!wanted_) progress.done = done_;
  progress.total = host_.log->durable_sequence();
  return progress;
}

void PlanChanges::Close() {
  {
    const std::lock_guard hold(mutex_);
    if ((wanted_ || stage_ == Stage::kReading) && progress_.state == State::kReading) progress_.state = State::kCancelled;
    closing_ = true;
    wanted_ = nullptr;
    if (stage_ == Stage::kReading) stage_ = Stage::kIdle;
  }
  worker_->Wake();
}

// --- the worker ---

Worker::Next PlanChanges::Step() {
  std::unique_lock hold(mutex_);
  if (abandoned_) return Worker::Next::Done();
  switch (stage_) {
    case Stage::kIdle: {
      if (plan_state_) {  // of a cancelled change
        const auto given_up = std::move(plan_state_);
        hold.unlock();
        return Worker::Next::Now();
      }
      if (closing_) return Worker::Next::Done();
      if (!wanted_) return Worker::Next::WhenWoken();
      auto plan = std::exchange(wanted_, nullptr);
      stage_ = Stage::kReading;
      done_ = 0;
      hold.unlock();
      Begin(std::move(plan));
      return Worker::Next::Now();
    }
    case Stage::kReading: {
      hold.unlock();
      const uint64_t last = host_.log->durable_sequence();
      const auto read = ReadTo(last);
      if (!read || !*read) return Worker::Next::Now();
      if (host_.log->durable_sequence() - last <= kNear) Append();
      return Worker::Next::Now();
    }
    case Stage::kLogging: {
      if (append_failed_) {
        hold.unlock();
        End(State::kFailed, "the change could not be logged");
        return Worker::Next::Now();
      }
      if (sequence_ == 0) return Worker::Next::WhenWoken();
      stage_ = Stage::kCatchingUp;
      return Worker::Next::Now();
    }
    case Stage::kCatchingUp: {
      const uint64_t sequence = sequence_;
      hold.unlock();
      const auto read = ReadTo(sequence - 1);
      if (!read || !*read) return Worker::Next::Now();
      for (const auto& shard : plan_state_->shards()) shard->set_position(sequence);
      plan_state_->CountSizes();
      (void)plan_state_->size_history().Restore(*host_.store);  // on failure it begins with the next sample
      hold.lock();
      stage_ = Stage::kReady;
      hold.unlock();
      host_.wake_loops();
      return Worker::Next::Now();
    }
    case Stage::kReady: {
      if (!taken_) return Worker::Next::WhenWoken();
      const auto old = std::move(old_);  // a reader on another thread may hold it a little longer
      const auto unused = std::move(plan_state_);
      taken_ = false;
      token_ = 0;
      sequence_ = 0;
      stage_ = Stage::kIdle;
      if (!wanted_ && progress_.state == State::kChanging) progress_.state = State::kDone;
      unusable_ = false;
      hold.unlock();
      return Worker::Next::Now();
    }
  }
  return Worker::Next::Done();
}

void PlanChanges::Begin(std::shared_ptr<const Plan> plan) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  plan_state_ = std::make_unique<PlanState>(Program::Compile(std::move(plan)), host_.loops, host_.store, host_.log);
  reader_.reset();
}

std::optional<bool> PlanChanges::ReadTo(uint64_t last) {
  if (last == 0) return true;
  if (!reader_) {
    auto reader = host_.log->NewReader(1, last);
    if (!reader.ok()) return End(State::kFailed, reader.error().message), std::nullopt;
    reader_ = std::move(reader).value();
  }
  reader_->ReadTo(last);
  RecordView record;
  for (int i = 0; i < kRecordsAStep; ++i) {
    const auto more = reader_->Next(&record);
    if (!more.ok()) return End(State::kFailed, more.error().message), std::nullopt;
    if (!*more) {
      done_ = last;
      return true;
    }
    const Status applied = plan_state_->Apply(record, nullptr);
    if (!applied.ok()) return End(State::kFailed, applied.error().message), std::nullopt;
    done_ = record.sequence;
  }
  return false;
}

void PlanChanges::Append() {
  ByteWriter payload;
  {
    const std::lock_guard hold(mutex_);
    if (stage_ != Stage::kReading) return;  // cancelled
    stage_ = Stage::kLogging;
    progress_.state = State::kChanging;
    token_ = NewToken();
    logged_ = plan_state_->plan().fingerprint;
    append_failed_ = false;
    payload.U64(token_);
  }
  host_.mark_for(plan_state_->merging().identity());
  payload.I64(host_.clock());
  payload.U64(plan_state_->plan().fingerprint);
  const LogEntry entry{static_cast<uint8_t>(RecordType::kPlan), 0, payload.view()};
  const auto answer = [this](const Status& durable, uint64_t first) {
    {
      const std::lock_guard hold(mutex_);
      if (durable.ok()) sequence_ = first;
      append_failed_ = !durable.ok();
    }
    worker_->Wake();
  };
  if (const Status status = host_.log->Append({&entry, 1}, answer); !status.ok()) answer(status, 0);
}

void PlanChanges::End(State state, std::string failure) {
  const std::lock_guard hold(mutex_);
  if (!wanted_ && (progress_.state == State::kReading || progress_.state == State::kChanging)) {
    progress_.state = state;
    progress_.failure = std::move(failure);
  }
  if (stage_ == Stage::kCatchingUp) {
    // The loops reach the record and continue with the present plan.
    unusable_ = true;
    stage_ = Stage::kReady;
    host_.wake_loops();
  } else if (stage_ != Stage::kIdle) {
    stage_ = Stage::kIdle;
    token_ = 0;
  }
}

// --- loops ---

bool PlanChanges::IsChange(const RecordView& record) const {
  if (record.type != static_cast<uint8_t>(RecordType::kPlan)) return false;
  ByteReader in(record.payload);
  const uint64_t token = in.U64();
  const std::lock_guard hold(mutex_);
  return token_ != 0 && token == token_;
}

bool PlanChanges::IsReady() const {
  const std::lock_guard hold(mutex_);
  return stage_ == Stage::kReady;
}

std::unique_ptr<PlanState> PlanChanges::Take() {
  const std::lock_guard hold(mutex_);
  return unusable_ ? nullptr : std::move(plan_state_);
}

void PlanChanges::Retire(std::shared_ptr<PlanState> old) {
  {
    const std::lock_guard hold(mutex_);
    old_ = std::move(old);
    taken_ = true;
  }
  worker_->Wake();
}

}  // namespace attune
