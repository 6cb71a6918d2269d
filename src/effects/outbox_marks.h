// Limits the outbox: it keeps about the newest `max_effects`, and none older than `max_age`; up to `held` times both while a
// consumer has yet to acknowledge them.
//
// Effects are counted. At intervals a mark is set after the newest effect, with the count since the previous mark and
// the instant. Eviction removes effects from mark to mark. Marks are stored, so that a start counts only the effects
// after the last mark.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "effects/effect.h"
#include "state/store.h"

namespace attune {

class OutboxMarks {
 public:
  OutboxMarks(size_t max_effects, Millis max_age, int held = 1) : max_effects_(max_effects), max_age_(max_age), held_(held) {}

  // Reads the marks. Without any, no effect was ever kept.
  Status Restore(const Store& store);
  // Counts the stored effects after the last mark.
  Status CountStored(const Store& store);

  // Every published effect after this one is kept.
  EffectId floor() const { return marks_.empty() ? EffectId{} : marks_.front().id; }
  bool empty() const { return marks_.empty(); }
  uint64_t effects() const { return marked_ + open_; }

  // This many more effects were published, `last` being the newest. Those up to the last mark are already counted.
  void Count(size_t effects, EffectId last);
  // Keeps only effects after `floor`; `batch` gets the matching changes of the store.
  void RaiseFloor(EffectId floor, WriteBatch* batch);
  // Evicts what exceeds the limits at `now`; `needed_after`: effects after this one are kept up to the higher limits (nullopt:
  // none are). Returns how many were evicted. Call it periodically: marks are as precise as its calls are frequent.
  uint64_t Trim(Millis now, std::optional<EffectId> needed_after, WriteBatch* batch);

 private:
  struct Mark {
    EffectId id;
    uint64_t effects;  // since the previous mark
    Millis at;         // kNever: not in the store yet
  };
  void SetMark();
  static void PutMark(const Mark& mark, WriteBatch* batch);
  void DropFirst(WriteBatch* batch);
  bool MayEvict(Millis now, std::optional<EffectId> needed_after) const;

  const size_t max_effects_;
  const Millis max_age_;
  const int held_;
  std::deque<Mark> marks_;  // the first is the floor
  uint64_t marked_ = 0;     // effects between the first mark and the last
  uint64_t open_ = 0;       // after the last mark
  Millis open_since_ = kNever;
  EffectId last_;
};

}  // namespace attune
