#include "engine/sequence/sequence_scan.h"

#include <algorithm>

namespace attune {

using QueryKind = SequenceQuery::Kind;

void SequenceScan::Restart(const SequenceProgram::Sequence& sequence, Millis low, size_t position) {
  begun_ = true;
  position_ = next_ = position;
  low_ = low;
  first_start_ = kAlways;
  matches_ = 0;
  runs_.assign(sequence.steps, Run());
  if (keyed_) keyed_->Clear();
}

SequenceReading SequenceScan::Read(const SequenceProgram& program, const StepHistory& history, Millis low, Millis high,
                                   const StepRestriction* restriction) {
  const StepLayout& layout = program.layout();
  const SequenceQuery& query = program.query(query_);
  const SequenceProgram::Sequence& sequence = program.sequence(query.sequence);
  const bool matches = query.kind == QueryKind::kMatches;
  const size_t from = low == kAlways ? 0 : history.CountUpTo(layout, low);
  const size_t to = high == kNever ? history.size() : std::max(from, history.CountUpTo(layout, high));
  const bool goes_on = begun_ && position_ <= to && (!matches || (low_ <= low && (matches_ == 0 || low < first_start_)));
  // The starts of runs show which began before the window. Only non-overlapping matches depend on where a scan begins.
  if (!goes_on) Restart(sequence, low, matches ? from : 0);
  low_ = low;
  const auto seen = [&](size_t row) {
    return Concerns(program, history.marks(layout, row)) &&
           (!restriction || history.key(layout, row, restriction->column) == restriction->value);
  };
  for (; position_ < to; ++position_) {
    if (seen(position_)) Take(program, history, position_);
  }
  next_ = std::max(next_, to);
  while (next_ < history.size() && !MayRaise(program, history.marks(layout, next_))) ++next_;

  SequenceReading reading;
  if (to > 0) reading.high_from = history.time(layout, to - 1);
  if (next_ < history.size()) reading.high_to = history.time(layout, next_);
  if (matches) {
    reading.value = matches_;
    if (from > 0) reading.low_from = history.time(layout, from - 1);
    if (matches_ > 0) reading.low_to = first_start_;
    return reading;
  }
  uint32_t depth = 0;
  while (depth < sequence.steps && runs_[depth].start > low) ++depth;
  const bool holds = depth == sequence.steps;
  if (holds) reading.high_to = kNever;
  if (query.kind == QueryKind::kHolds && !holds) {
    reading.low_from = runs_.back().start;
    return reading;
  }
  reading.value = query.kind == QueryKind::kHolds ? 1 : depth;
  if (!holds) reading.low_from = runs_[depth].start;
  if (depth > 0) reading.low_to = runs_[depth - 1].start;
  return reading;
}

void SequenceScan::Take(const SequenceProgram& program, const StepHistory& history, size_t row) {
  const StepLayout& layout = program.layout();
  const SequenceQuery& query = program.query(query_);
  const SequenceProgram::Sequence& sequence = program.sequence(query.sequence);
  StepEvent event;
  event.time = history.time(layout, row);
  event.previous = row == 0 ? kAlways : history.time(layout, row - 1);
  event.serial = static_cast<int64_t>(row);
  event.marks = history.marks(layout, row);
  if (event.time < sequence.from || event.time >= sequence.to) return;
  Run* runs = runs_.data();
  if (sequence.column != SequenceProgram::kNoColumn) {
    const Stored key = history.key(layout, row, sequence.column);
    if (key.is_null()) return;
    if (!keyed_) keyed_ = std::make_unique<KeyedRuns>(query.sequence, sequence.steps);
    runs = keyed_->Find(key);
    if (!runs && !event.Has(program.steps(sequence).front().mark)) return;
    if (!runs) runs = keyed_->Add(key);
  }
  const uint32_t top = Advance(program, sequence, event, runs, sequence.steps, [&](Run) { return runs; });
  if (query.kind == QueryKind::kMatches) {
    if (top == sequence.steps) TakeMatch(runs[top - 1].start);
  } else if (keyed_) {
    for (uint32_t k = 0; k < top; ++k) runs_[k].start = std::max(runs_[k].start, runs[k].start);
  }
}

void SequenceScan::TakeMatch(Millis start) {
  if (matches_ == 0) {
    if (start <= low_) return;
    first_start_ = start;
  }
  ++matches_;
  std::fill(runs_.begin(), runs_.end(), Run());
  if (keyed_) keyed_->Clear();
}

bool SequenceScan::Concerns(const SequenceProgram& program, const uint8_t* marks) const {
  for (const uint32_t mark : program.MarksOf(program.query(query_).sequence)) {
    if (marks[mark / 8] >> mark % 8 & 1) return true;
  }
  return false;
}

// Whether a longer window with this event may have a greater value: the event may be the last step, or for `depth` any
// step.
bool SequenceScan::MayRaise(const SequenceProgram& program, const uint8_t* marks) const {
  const SequenceQuery& query = program.query(query_);
  const auto steps = program.steps(program.sequence(query.sequence));
  for (size_t k = query.kind == QueryKind::kDepth ? 0 : steps.size() - 1; k < steps.size(); ++k) {
    if (marks[steps[k].mark / 8] >> steps[k].mark % 8 & 1) return true;
  }
  return false;
}

size_t SequenceScan::MemoryBytes() const {
  return sizeof(SequenceScan) + runs_.capacity() * sizeof(Run) + (keyed_ ? sizeof(KeyedRuns) + keyed_->MemoryBytes() : 0);
}

}  // namespace attune
