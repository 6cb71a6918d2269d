// A scan of one user's step history for what runs do not record: windows that end before t, and matches in a
// window.
#pragma once

#include <memory>
#include <vector>

#include "engine/sequence/sequence.h"
#include "engine/sequence/step_history.h"
#include "engine/sequence/step_runs.h"

namespace attune {

// What a query reads in a window (low, high].
struct SequenceReading {
  double value = 0;  // of kHolds 0 or 1
  // The value is the same for every window (l, h] with low_from <= l < low_to and high_from <= h < high_to, as long as no
  // event comes.
  Millis low_from = kAlways;
  Millis low_to = kNever;
  Millis high_from = kAlways;
  Millis high_to = kNever;
  bool incomplete = false;  // events or keys were dropped that could have made it another
};

// Only events whose value in a column is this one: `some(p: sequence(…))`.
struct StepRestriction {
  uint32_t column = 0;
  Stored value;
};

// One for each query of a user. It goes on from where it stopped, as long as the window's events so far cannot read
// otherwise: for `sequence` and `depth` while the window's end does not go back, for `matches` while also its beginning
// stays before the start of the first match. So a row is looked at once while a session, a calendar period or a window
// with an offset goes on. Rows that were inserted or forgotten make it invalid; it holds no uses of texts.
class SequenceScan {
 public:
  explicit SequenceScan(uint32_t query) : query_(query) {}

  uint32_t query() const { return query_; }
  // `restriction` may be null, and is the same in every call.
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
  size_t position_ = 0;           // rows [0, position_) are taken
  size_t next_ = 0;               // rows [position_, next_) cannot raise the value
  Millis low_ = kAlways;          // of matches: where the window began when the rows were taken
  Millis first_start_ = kAlways;  // of the first match
  double matches_ = 0;
  std::vector<Run> runs_;         // one for each step; with keys the best starts of all
  std::unique_ptr<KeyedRuns> keyed_;
};

}  // namespace attune
