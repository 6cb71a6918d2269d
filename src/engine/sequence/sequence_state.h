// What the engine remembers of one user for the sequences of a program.
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
// runs in constant time; the others, and matches(…) but of [ever] and of a range, by scans that look at each row of the
// history once while their window only moves on, and again after a late event or when the window leaves the first match
// behind. A late event rebuilds the runs of the sequences that it concerns from the history.
//
// The history keeps an event as long as some sequence can see it, and at most the program's limit. What is dropped at the
// limit is first taken into runs of its own, from which those of late events start: so only an event that is older than
// what was dropped, or a window that reaches back to it, is answered incompletely.
//
// The user's state owns this; a user of whom no sequence knows an event needs none. Texts of keys are uses of the
// interner: the same one in every call.
class SequenceState {
 public:
  // Takes in an event at its place in the history. `selectors` are those that select it; of `fields`, by the Program's
  // numbers, those that sequences read beside these selectors are looked at. To be called for every event that some
  // mark's selector selects; when the program wants every event, for every one. `advanced`, if wanted, has the live
  // sequences added of which an event in order ended a match (or, where depths are asked for, took any step): what the
  // others' queries say stays, and for no shorter.
  void TakeIn(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors, std::span<const Value> fields,
              Interner* interner, std::vector<uint32_t>* advanced = nullptr);

  // What a query reads in the window (low, high]. `high` is kNever for a window that ends at t; a range is none of them:
  // its sequence sees no other events, and is asked for (kAlways, kNever]. A tally is asked for that too.
  SequenceReading Read(const SequenceProgram& program, uint32_t query, Millis low, Millis high) const;
  // The same as if the user's history had only those events that carry a value (`=>` stays the very next event of all).
  // In constant time when the sequence is `by` that column, the window ends at t, and the query is not for matches.
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
  // What events dropped at the limit leave behind.
  struct Dropped {
    StepRuns runs;         // of all of them
    int64_t serial = 0;    // of the last one
    Millis last = kAlways; // its time
    Millis lost = kAlways; // windows that begin before may lack events that came too late
  };

  bool ComesTooLate(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors);
  size_t AddRow(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors, std::span<const Value> fields,
                Interner* interner);
  StepEvent EventAt(const SequenceProgram& program, size_t row, int64_t serial) const;
  // The live sequences that listen to a row, as far as they are in word `w` of bits.
  uint64_t Listeners(const SequenceProgram& program, size_t row, size_t w) const;
  // Takes a row into the runs of its listeners; with `only`, of those among these bits.
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
  mutable std::vector<SequenceScan> scans_;         // made when they are asked for

  static constexpr size_t kFirstTrim = 16;
};

}  // namespace attune
