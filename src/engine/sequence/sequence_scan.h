// A scan of one user's step history, for what runs do not record: windows that end before t, and matches in a window.
#pragma once

#include <memory>
#include <vector>

#include "engine/sequence/sequence.h"
#include "engine/sequence/step_history.h"
#include "engine/sequence/step_runs.h"

namespace attune {

// The value of a query in a window (low, high].
struct SequenceReading {
  double value = 0;  // 0 or 1 for kHolds
  // The value is the same for every window (l, h] with low_from <= l < low_to and high_from <= h < high_to, until the
  // next event.
  Millis low_from = kAlways;
  Millis low_to = kNever;
  Millis high_from = kAlways;
  Millis high_to = kNever;
  bool incomplete = false;  // events or keys that were dropped could have changed the value
};

// Only events with this value in a column count: `some(p: sequence(…))`.
struct StepRestriction {
  uint32_t column = 0;
  Stored value;
};

// One for each query of a user. A scan continues where it stopped as long as the events already read cannot give
// another value: for `sequence` and `depth` while the window's end does not go back; for `matches` also while the
// window begins before the first match. So each row is read once while a session, a calendar period or a window with an
// offset continues. Inserting or dropping rows makes a scan invalid. It holds no uses of texts.
class SequenceScan {
 public:
  explicit SequenceScan(uint32_t query) : query_(query) {}

  uint32_t query() const { return query_; }
  // `restriction` may be null, and must be the same in every call.
  SequenceReading Read(const SequenceProgram& program, const StepHistory& history, Millis low, Millis high,
                       const StepRestriction* restriction);
  size_t MemoryBytes() const;

 private:
  void Restart(const SequenceProgram::Sequence& sequence, Millis low, size_t position);
  void Take(const SequenceProgram& program, const StepHistory& history, size_t row);
  void TakeMatch(Millis start);
  bool Concerns(const SequenceProgram& program, const uint8_t* marks) const;
  bool MayRaise(const SequenceProgram& program, const uint8_t* marks) const;

  uint32_t query_;
  bool begun_ = false;
  size_t position_ = 0;           // rows [0, position_) have been read
  size_t next_ = 0;               // rows [position_, next_) cannot raise the value
  Millis low_ = kAlways;          // of matches: where the window began when the rows were read
  Millis first_start_ = kAlways;  // of the first match
  double matches_ = 0;
  std::vector<Run> runs_;         // one for each step; with keys the best starts of all
  std::unique_ptr<KeyedRuns> keyed_;
};

}  // namespace attune
