#include "engine/explain/witness.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>

namespace attune {
namespace {

// Runs as Advance (sequence.h) makes them, each with the run that it extends. The last run of a step began last, so
// only that one has to be extended.
class Search {
 public:
  Search(const SequenceProgram& program, const SequenceProgram::Sequence& sequence, std::span<const WitnessEvent> events)
      : program_(program), steps_(program.steps(sequence)), events_(events), best_(steps_.size(), kNoRun) {}

  // Returns whether the event ends a run through all steps.
  bool Take(size_t i) {
    const WitnessEvent& event = events_[i];
    if (!event.seen) return false;
    std::vector<size_t>& last = last_[event.key.bits()];
    last.resize(steps_.size(), kNoRun);
    bool ends = false;
    for (size_t k = steps_.size(); k-- > 0;) {
      if (Is(event, steps_[k].mark) && (k == 0 || Extends(last[k - 1], steps_[k], i))) {
        last[k] = runs_.size();
        runs_.push_back(k == 0 ? Run{i, i, kNoRun} : Run{runs_[last[k - 1]].start, i, last[k - 1]});
        if (best_[k] == kNoRun || runs_[last[k]].start > runs_[best_[k]].start) best_[k] = last[k];
        ends |= k + 1 == steps_.size();
      }
      for (const uint32_t forbidden : program_.nots(steps_[k])) {
        if (Is(event, forbidden)) last[k - 1] = kNoRun;
      }
    }
    return ends;
  }

  Witness Furthest() const {
    Witness witness;
    size_t run = kNoRun;
    for (size_t k = 0; k < steps_.size() && best_[k] != kNoRun; ++k) run = best_[k];
    for (; run != kNoRun; run = runs_[run].before) witness.push_back(runs_[run].last);
    std::reverse(witness.begin(), witness.end());
    return witness;
  }

  void Restart() {
    runs_.clear();
    last_.clear();
    best_.assign(steps_.size(), kNoRun);
  }

 private:
  static constexpr size_t kNoRun = ~size_t{0};
  struct Run {
    size_t start;   // events
    size_t last;
    size_t before;  // the run that it extends
  };

  bool Is(const WitnessEvent& event, uint32_t mark) const {
    return std::binary_search(event.selectors.begin(), event.selectors.end(), program_.SelectorOf(mark));
  }

  bool Extends(size_t before, const SequenceProgram::Step& step, size_t i) const {
    if (before == kNoRun) return false;
    const size_t last = runs_[before].last;
    if (step.next && last + 1 != i) return false;
    return step.within == kNever || events_[i].time - events_[last].time <= step.within;
  }

  const SequenceProgram& program_;
  const std::span<const SequenceProgram::Step> steps_;
  const std::span<const WitnessEvent> events_;
  std::vector<Run> runs_;
  absl::flat_hash_map<uint64_t, std::vector<size_t>> last_;  // by the value of `by`, then by step; kNoRun: none
  std::vector<size_t> best_;                                 // by step
};

}  // namespace

Witness FurthestRun(const SequenceProgram& program, const SequenceProgram::Sequence& sequence, std::span<const WitnessEvent> events) {
  Search search(program, sequence, events);
  for (size_t i = 0; i < events.size(); ++i) search.Take(i);
  return search.Furthest();
}

std::vector<Witness> CountedMatches(const SequenceProgram& program, const SequenceProgram::Sequence& sequence,
                                    std::span<const WitnessEvent> events) {
  std::vector<Witness> matches;
  Search search(program, sequence, events);
  for (size_t i = 0; i < events.size(); ++i) {
    if (!search.Take(i)) continue;
    matches.push_back(search.Furthest());
    search.Restart();
  }
  return matches;
}

}  // namespace attune
