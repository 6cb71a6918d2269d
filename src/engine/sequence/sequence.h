// Compiled sequences of steps, and the rule by which they advance.
//
// A sequence keeps one run for each step: the latest start of a match of the steps so far, and the last event of that
// match. This suffices, by induction over the steps. Let S(k, e) be the latest start among the matches of steps 1 to k
// that end at event e. Assume that S(k, ·) never falls from one such e to the next (S(1, e) = e does not). An event
// extends exactly those matches whose end is close enough: later than the latest `not`, younger than `within`, the very
// event before for `=>`. So if it extends any, it extends the latest one, which has the best start. Hence S(k + 1, ·)
// is the S(k, ·) of ever later events, and does not fall either. A window (low, t] then holds a match of k steps
// exactly if the latest S(k, ·) is above low.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "engine/sequence/step_history.h"

namespace attune {

// A sequence as the compiler describes it, by the Program's numbers of selectors and fields.
struct SequenceSpec {
  struct Step {
    uint32_t selector = 0;
    bool next = false;           // `=>`: the user's very next event after the step before
    Millis within = kNever;      // after the step before, inclusive
    std::vector<uint32_t> nots;  // selectors that no event between the step before and this one may match
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> steps;       // one or more; `not` steps are in the `nots` of the step that follows
  std::optional<uint32_t> by;    // a field that must have the same value in all steps
  Millis from = kAlways;         // only events in [from, to) count: the window [from .. to)
  Millis to = kNever;
  bool tally = false;            // counts the matches among all its events: matches(…)[ever], and of a range
  bool operator==(const SequenceSpec&) const = default;
};

// A question about a sequence. There is one for each distinct expression, including its window.
struct SequenceQuery {
  enum class Kind : uint8_t { kHolds, kDepth, kMatches };
  uint32_t sequence = 0;
  Kind kind = Kind::kHolds;
};

// All sequences of a Program. Selectors that occur in them are *marks* here, numbered from 0; an event has the marks of
// the selectors that match it. Properties of `by`, and those that `some` restricts to, are *columns*. Immutable once
// linked.
class SequenceProgram {
 public:
  static constexpr uint32_t kNoColumn = 0xFFFF'FFFF;
  static constexpr uint32_t kNoMark = 0xFFFF'FFFF;

  struct Step {
    uint32_t mark = 0;
    uint32_t first_not = 0;  // into `nots_`, which holds marks
    uint32_t nots = 0;
    bool next = false;
    Millis within = kNever;
  };
  struct Sequence {
    uint32_t first_step = 0;  // its steps have the numbers [first_step, first_step + steps) over all sequences
    uint32_t steps = 0;
    uint32_t column = kNoColumn;
    Millis from = kAlways;
    Millis to = kNever;
    Millis keep = 0;          // the greatest distance from the user's latest event that a query reads
    bool tally = false;
    bool live = false;        // some query reads its runs, so they must follow every event
    bool next = false;        // some step is `=>`
    bool deep = false;        // some query reads how far its runs came
  };

  // Adds a sequence, or finds an equal one. `keep` is the greatest distance from the user's latest event that the
  // current query reads; kNever: unlimited. `restricted_to` are the fields whose values `some` may restrict the
  // sequence to.
  uint32_t Add(const SequenceSpec& spec, Millis keep, std::span<const uint32_t> restricted_to = {});
  uint32_t AddQuery(SequenceQuery query);
  // Call once, after all are added. `limit`: the number of events and of keys kept for one user.
  void Link(size_t selectors, size_t limit);

  bool empty() const { return sequences_.empty(); }
  size_t size() const { return sequences_.size(); }
  const Sequence& sequence(uint32_t s) const { return sequences_[s]; }
  const SequenceQuery& query(uint32_t q) const { return queries_[q]; }
  const Step& step(uint32_t i) const { return steps_[i]; }
  std::span<const Step> steps(const Sequence& s) const { return std::span(steps_).subspan(s.first_step, s.steps); }
  std::span<const uint32_t> nots(const Step& step) const { return std::span(nots_).subspan(step.first_not, step.nots); }
  uint32_t step_count() const { return static_cast<uint32_t>(steps_.size()); }

  // Some sequence has a `=>` step, so every event of the user must be passed, even if no selector matches it.
  bool every_event() const { return every_event_; }
  uint32_t MarkOf(uint32_t selector) const { return selector < mark_of_selector_.size() ? mark_of_selector_[selector] : kNoMark; }
  uint32_t SelectorOf(uint32_t mark) const { return selectors_[mark]; }
  // The fields to read of an event with a mark, as columns.
  std::span<const uint32_t> ColumnsOf(uint32_t mark) const { return columns_of_mark_[mark]; }
  uint32_t FieldOf(uint32_t column) const { return columns_[column]; }
  // The column of a field; kNoColumn if no sequence reads it.
  uint32_t ColumnOf(uint32_t field) const;
  // The marks that occur in a sequence, as a step or a `not`.
  const std::vector<uint32_t>& MarksOf(uint32_t sequence) const { return marks_of_sequence_[sequence]; }
  // How long an event with this mark is needed; and one without marks.
  Millis KeepOf(uint32_t mark) const { return keep_of_mark_[mark]; }
  Millis keep_of_any() const { return keep_of_any_; }
  // The live sequences with a mark, as words of bits.
  std::span<const uint64_t> ListenersOf(uint32_t mark) const { return std::span(listeners_).subspan(mark * words_, words_); }
  // The live sequences with a `=>` step.
  std::span<const uint64_t> next_sequences() const { return next_sequences_; }
  size_t words() const { return words_; }
  size_t limit() const { return limit_; }
  const StepLayout& layout() const { return layout_; }

 private:
  uint32_t Mark(uint32_t selector);
  uint32_t Column(uint32_t field);

  std::vector<SequenceSpec> specs_;
  std::vector<std::vector<uint32_t>> restricted_;  // by sequence: columns
  std::vector<Sequence> sequences_;
  std::vector<SequenceQuery> queries_;
  std::vector<Step> steps_;
  std::vector<uint32_t> nots_;
  std::vector<uint32_t> selectors_;                // by mark
  std::vector<uint32_t> columns_;                  // fields
  std::vector<uint32_t> mark_of_selector_;
  std::vector<std::vector<uint32_t>> columns_of_mark_;
  std::vector<std::vector<uint32_t>> marks_of_sequence_;
  std::vector<Millis> keep_of_mark_;
  std::vector<uint64_t> listeners_;
  std::vector<uint64_t> next_sequences_;
  size_t words_ = 0;
  size_t limit_ = 0;
  Millis keep_of_any_ = 0;
  bool every_event_ = false;
  StepLayout layout_;
};

// An event as a sequence sees it.
struct StepEvent {
  Millis time = 0;
  Millis previous = kAlways;  // the time of the user's event before it; set if every_event()
  int64_t serial = 0;         // grows by one from each of the user's events to the next
  const uint8_t* marks = nullptr;

  bool Has(uint32_t mark) const { return marks[mark / 8] >> mark % 8 & 1; }
};

// For one step: the latest start of a match of the steps up to it, and the event that it ended with, by time, or by
// serial if the next step is `=>`.
struct Run {
  Millis start = kAlways;
  int64_t last = kAlways;     // kAlways: a `not` came since, so the run cannot be extended
};

inline bool Extends(const SequenceProgram::Step& step, const StepEvent& event, const Run& before) {
  if (before.last == kAlways) return false;
  if (step.next) {
    return before.last == event.serial - 1 && (step.within == kNever || event.time - event.previous <= step.within);
  }
  return step.within == kNever || event.time - before.last <= step.within;
}

// Applies an event to the runs of a sequence. The first `present` runs exist; push(run) appends one and returns the
// address of all runs. Returns the furthest step, counted from 1, that a run now ends at with this event; 0 if the
// event matches no step.
template <typename Push>
uint32_t Advance(const SequenceProgram& program, const SequenceProgram::Sequence& sequence, const StepEvent& event, Run* runs,
                 uint32_t present, Push push) {
  const auto steps = program.steps(sequence);
  uint32_t top = 0;
  // From the last step to the first, so that a run uses the event for one step only.
  for (uint32_t k = present < sequence.steps ? present : sequence.steps - 1; k < sequence.steps; --k) {
    const auto& step = steps[k];
    if (event.Has(step.mark) && (k == 0 || Extends(step, event, runs[k - 1]))) {
      const bool serial = k + 1 < sequence.steps && steps[k + 1].next;
      const Run run{k == 0 ? event.time : runs[k - 1].start, serial ? event.serial : event.time};
      if (k == present) {
        runs = push(run);
      } else {
        runs[k] = run;
      }
      if (top == 0) top = k + 1;
    }
    for (const uint32_t forbidden : program.nots(step)) {
      if (event.Has(forbidden)) runs[k - 1].last = kAlways;
    }
  }
  return top;
}

}  // namespace attune
