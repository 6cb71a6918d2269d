// How far back the outbox reaches: it keeps about the newest `max_effects`, and none older than `max_age`.
//
// Effects are counted, and now and then a mark is set behind the newest of them, with the count since the mark before and
// the instant. What is too much is dropped from mark to mark. Marks lie in the store, so that a start needs to count only
// what came after the last.
#pragma once

#include <cstdint>
#include <deque>

#include "base/result.h"
#include "base/time.h"
#include "effects/effect.h"
#include "state/store.h"

namespace attune {

class OutboxMarks {
 public:
  OutboxMarks(size_t max_effects, Millis max_age) : max_effects_(max_effects), max_age_(max_age) {}

  // Reads the marks. Without any, nothing was ever kept.
  Status Restore(const Store& store);
  // Counts what the store has behind the last mark.
  Status CountStored(const Store& store);

  // Every effect that comes after this one and has been told is kept.
  EffectId floor() const { return marks_.empty() ? EffectId{} : marks_.front().id; }
  bool empty() const { return marks_.empty(); }
  uint64_t effects() const { return marked_ + open_; }

  // So many more have been told, the last of them this one. Those up to the last mark have been counted before.
  void Count(size_t effects, EffectId last);
  // Keeps only what comes after this one; `batch` gets what the store needs to follow.
  void RaiseFloor(EffectId floor, WriteBatch* batch);
  // Drops what is too much at `now`. To be called now and then: marks are as exact as its calls are frequent.
  void Trim(Millis now, WriteBatch* batch);

 private:
  struct Mark {
    EffectId id;
    uint64_t effects;  // since the mark before
    Millis at;         // kNever: not in the store yet
  };
  void SetMark();
  static void PutMark(const Mark& mark, WriteBatch* batch);
  void DropFirst(WriteBatch* batch);

  const size_t max_effects_;
  const Millis max_age_;
  std::deque<Mark> marks_;  // the first is the floor
  uint64_t marked_ = 0;     // effects between the first mark and the last
  uint64_t open_ = 0;       // behind the last mark
  Millis open_since_ = kNever;
  EffectId last_;
};

}  // namespace attune
