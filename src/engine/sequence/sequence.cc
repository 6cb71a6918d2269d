#include "engine/sequence/sequence.h"

#include <algorithm>

#include "base/check.h"

namespace attune {
namespace {

template <typename T>
uint32_t PlaceIn(std::vector<T>* all, const T& one) {
  const auto found = std::find(all->begin(), all->end(), one);
  const auto index = static_cast<uint32_t>(found - all->begin());
  if (found == all->end()) all->push_back(one);
  return index;
}

}  // namespace

uint32_t SequenceProgram::Mark(uint32_t selector) { return PlaceIn(&selectors_, selector); }

uint32_t SequenceProgram::Column(uint32_t field) { return PlaceIn(&columns_, field); }

uint32_t SequenceProgram::ColumnOf(uint32_t field) const {
  const auto found = std::find(columns_.begin(), columns_.end(), field);
  return found == columns_.end() ? kNoColumn : static_cast<uint32_t>(found - columns_.begin());
}

uint32_t SequenceProgram::Add(const SequenceSpec& spec, Millis keep, std::span<const uint32_t> restricted_to) {
  ATTUNE_CHECK(!spec.steps.empty(), "a sequence has a step");
  const uint32_t index = PlaceIn(&specs_, spec);
  if (index == sequences_.size()) {
    Sequence sequence;
    sequence.first_step = static_cast<uint32_t>(steps_.size());
    sequence.steps = static_cast<uint32_t>(spec.steps.size());
    if (spec.by) sequence.column = Column(*spec.by);
    sequence.from = spec.from;
    sequence.to = spec.to;
    sequence.tally = spec.tally;
    for (const SequenceSpec::Step& s : spec.steps) {
      Step step;
      step.mark = Mark(s.selector);
      step.first_not = static_cast<uint32_t>(nots_.size());
      step.nots = static_cast<uint32_t>(s.nots.size());
      step.next = s.next;
      step.within = s.within;
      for (const uint32_t selector : s.nots) nots_.push_back(Mark(selector));
      ATTUNE_CHECK(&s != &spec.steps.front() || (!s.next && s.nots.empty()), "the first step has no step before it");
      sequence.next |= s.next;
      steps_.push_back(step);
    }
    sequences_.push_back(sequence);
    restricted_.emplace_back();
  }
  Sequence& sequence = sequences_[index];
  sequence.keep = std::max(sequence.keep, spec.tally ? kNever : keep);
  for (const uint32_t field : restricted_to) PlaceIn(&restricted_[index], Column(field));
  return index;
}

uint32_t SequenceProgram::AddQuery(SequenceQuery query) {
  Sequence& sequence = sequences_[query.sequence];
  sequence.live |= sequence.tally || query.kind != SequenceQuery::Kind::kMatches;
  sequence.deep |= query.kind == SequenceQuery::Kind::kDepth;
  queries_.push_back(query);
  return static_cast<uint32_t>(queries_.size() - 1);
}

void SequenceProgram::Link(size_t selectors, size_t limit) {
  limit_ = std::max<size_t>(limit, 1);
  mark_of_selector_.assign(selectors, kNoMark);
  for (uint32_t m = 0; m < selectors_.size(); ++m) mark_of_selector_[selectors_[m]] = m;
  words_ = (sequences_.size() + 63) / 64;
  listeners_.assign(selectors_.size() * words_, 0);
  next_sequences_.assign(words_, 0);
  columns_of_mark_.resize(selectors_.size());
  keep_of_mark_.assign(selectors_.size(), 0);
  marks_of_sequence_.resize(sequences_.size());
  for (uint32_t s = 0; s < sequences_.size(); ++s) {
    const Sequence& sequence = sequences_[s];
    for (const Step& step : steps(sequence)) {
      PlaceIn(&marks_of_sequence_[s], step.mark);
      for (const uint32_t mark : nots(step)) PlaceIn(&marks_of_sequence_[s], mark);
    }
    const uint64_t bit = uint64_t{1} << s % 64;
    for (const uint32_t mark : marks_of_sequence_[s]) {
      if (sequence.live) listeners_[mark * words_ + s / 64] |= bit;
      keep_of_mark_[mark] = std::max(keep_of_mark_[mark], sequence.keep);
      if (sequence.column != kNoColumn) PlaceIn(&columns_of_mark_[mark], sequence.column);
      for (const uint32_t column : restricted_[s]) PlaceIn(&columns_of_mark_[mark], column);
    }
    if (!sequence.next) continue;
    every_event_ = true;
    keep_of_any_ = std::max(keep_of_any_, sequence.keep);
    if (sequence.live) next_sequences_[s / 64] |= bit;
  }
  // Unmatched events separate their neighbours for `=>`, so they are kept as long as any `=>` may read them.
  for (Millis& keep : keep_of_mark_) keep = std::max(keep, keep_of_any_);
  layout_ = {static_cast<uint32_t>((selectors_.size() + 7) / 8), static_cast<uint32_t>(columns_.size())};
}

}  // namespace attune
