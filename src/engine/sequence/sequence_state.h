// The state of one user for the sequences of a program.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "engine/sequence/sequence.h"
#include "engine/sequence/sequence_scan.h"
#include "engine/sequence/step_history.h"
#include "engine/sequence/step_runs.h"
#include "event/value.h"

namespace attune {

// Every event costs one pass over the steps of the sequences that listen to it. Windows that end at t are read from the
// runs in constant time. Other windows, and matches(…) except of [ever] and of a range, are read by scans. A scan reads
// each row of the history once while its window only moves forward. It starts over after a late event, or when the
// window passes the first match. A late event rebuilds the runs of the affected sequences from the history.
//
// The history keeps an event as long as some sequence can read it, and at most the program's limit. Events that are
// dropped at the limit are first applied to separate runs, from which late events continue. So the answer is incomplete
// only for an event older than what was dropped, or a window that reaches back to it.
//
// The user's state owns this; it is absent until some sequence needs an event of the user. Texts of keys are uses of
// the interner, which must be the same in every call.
class SequenceState {
 public:
  // Adds an event at its place in the history. `selectors` are those that match it. Of `fields`, by the Program's
  // numbers, those that sequences read for these selectors are used. Call it for every event that matches the selector
  // of some mark; if the program requires every event, for every event. If `advanced` is not null, the live sequences
  // are appended that an event in order completed (or, where depths are needed, advanced). The values of other
  // sequences stay, at least as long as before.
  void TakeIn(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors, std::span<const Value> fields,
              Interner* interner, std::vector<uint32_t>* advanced = nullptr);

  // Reads a query in the window (low, high]. `high` is kNever for a window that ends at t. For a range or a tally, use
  // (kAlways, kNever]: a range's sequence contains only the events of the range.
  SequenceReading Read(const SequenceProgram& program, uint32_t query, Millis low, Millis high) const;
  // The same, as if the user's history had only the events that carry a value (`=>` still means the very next event of
  // all). Constant time if the sequence is `by` that column, the window ends at t, and the query is not for matches.
  SequenceReading ReadRestricted(const SequenceProgram& program, uint32_t query, Millis low, Millis high,
                                 const StepRestriction& restriction) const;

  const StepHistory& history() const { return history_; }
  // Whether an event of that instant is kept.
  bool HasEventAt(const SequenceProgram& program, Millis time) const;
  void ReleaseTexts(const SequenceProgram& program, Interner* interner);
  size_t MemoryBytes(const SequenceProgram& program) const;
  void Write(const SequenceProgram& program, const Interner& interner, ByteWriter* out) const;
  bool Read(const SequenceProgram& program, Interner* interner, ByteReader* in);

 private:
  // State of the events that were dropped at the limit.
  struct Dropped {
    StepRuns runs;         // of all dropped events
    int64_t serial = 0;    // of the last one
    Millis last = kAlways; // its time
    Millis lost = kAlways; // windows that begin before may lack events that came too late
  };

  bool IsTooLate(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors);
  size_t AddRow(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors, std::span<const Value> fields,
                Interner* interner);
  StepEvent EventAt(const SequenceProgram& program, size_t row, int64_t serial) const;
  // The live sequences that listen to a row, limited to word `w` of the bits.
  uint64_t Listeners(const SequenceProgram& program, size_t row, size_t w) const;
  // Applies a row to the runs of its listeners; with `only`, limited to these bits.
  void TakeRow(const SequenceProgram& program, size_t row, const StepEvent& event, const std::vector<uint64_t>* only,
               StepRuns* runs, Interner* interner, std::vector<uint32_t>* advanced = nullptr);
  void Rebuild(const SequenceProgram& program, size_t row, Interner* interner);
  void Trim(const SequenceProgram& program, Interner* interner);
  SequenceReading FromRuns(const SequenceProgram& program, const SequenceQuery& query, Millis low, const Stored* key) const;
  void SetCompleteness(uint32_t sequence, Millis low, bool from_runs, SequenceReading* reading) const;

  StepHistory history_;
  StepRuns runs_;
  int64_t serial_ = 0;                              // of the latest event
  size_t trim_at_ = kFirstTrim;
  std::unique_ptr<Dropped> dropped_;
  mutable std::vector<SequenceScan> scans_;         // created on first use

  static constexpr size_t kFirstTrim = 16;
};

}  // namespace attune
