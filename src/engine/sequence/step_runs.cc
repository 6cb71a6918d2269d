#include "engine/sequence/step_runs.h"

#include <algorithm>
#include <bit>

namespace attune {
namespace {

void WriteRun(const Run& run, ByteWriter* out) {
  out->U8(static_cast<uint8_t>((run.start != kAlways ? 1 : 0) | (run.last != kAlways ? 2 : 0)));
  if (run.start != kAlways) out->Zigzag(run.start);
  if (run.last != kAlways) out->Zigzag(run.last);
}

Run ReadRun(ByteReader* in) {
  Run run;
  const uint8_t known = in->U8();
  if (known & 1) run.start = in->Zigzag();
  if (known & 2) run.last = in->Zigzag();
  return run;
}

}  // namespace

// --- KeyedRuns ---

void KeyedRuns::Index() {
  index_.reset();
  if (keys_.size() <= kFew) return;
  index_ = std::make_unique<absl::flat_hash_map<uint64_t, uint32_t>>();
  for (uint32_t i = 0; i < keys_.size(); ++i) index_->emplace(keys_[i], i);
}

Run* KeyedRuns::Find(Stored key) {
  size_t at = keys_.size();
  if (index_) {
    const auto found = index_->find(key.bits());
    if (found != index_->end()) at = found->second;
  } else {
    at = static_cast<size_t>(std::find(keys_.begin(), keys_.end(), key.bits()) - keys_.begin());
  }
  return at == keys_.size() ? nullptr : runs_.data() + at * steps_;
}

Run* KeyedRuns::Add(Stored key) {
  if (keys_.size() == keys_.capacity()) {
    keys_.reserve(keys_.size() + 1 + keys_.size() / 2);
    runs_.reserve(keys_.capacity() * steps_);
  }
  keys_.push_back(key.bits());
  runs_.resize(runs_.size() + steps_);
  if (index_) {
    index_->emplace(key.bits(), static_cast<uint32_t>(keys_.size() - 1));
  } else {
    Index();
  }
  return runs_.data() + (keys_.size() - 1) * steps_;
}

template <typename Forgotten>
void KeyedRuns::Forget(Millis horizon, size_t limit, Forgotten forgotten) {
  const auto filter = [&](auto keep) {
    size_t kept = 0;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (!keep(runs(i)->start)) {
        forgotten(key(i));
        continue;
      }
      keys_[kept] = keys_[i];
      std::copy_n(runs(i), steps_, runs_.data() + kept * steps_);
      ++kept;
    }
    keys_.resize(kept);
    runs_.resize(kept * steps_);
  };
  filter([&](Millis start) { return start > horizon; });
  if (keys_.size() > limit) {
    std::vector<Millis> starts(keys_.size());
    for (size_t i = 0; i < keys_.size(); ++i) starts[i] = runs(i)->start;
    const size_t excess = keys_.size() - limit;
    std::nth_element(starts.begin(), starts.begin() + static_cast<ptrdiff_t>(excess - 1), starts.end());
    const Millis lost = starts[excess - 1];
    lost_ = std::max(lost_, lost);
    // Of the keys that began at exactly that instant, the first ones are dropped, as many as needed.
    size_t earlier = 0;
    for (size_t i = 0; i < keys_.size(); ++i) earlier += runs(i)->start < lost ? 1 : 0;
    size_t at_it = excess - earlier;
    filter([&](Millis start) {
      if (start != lost) return start > lost;
      if (at_it == 0) return true;
      --at_it;
      return false;
    });
  }
  forget_at_ = std::max(kFew, 2 * keys_.size());
  Index();
}

void KeyedRuns::Clear() {
  keys_.clear();
  runs_.clear();
  index_.reset();
  forget_at_ = kFew;
}

size_t KeyedRuns::MemoryBytes() const {
  return keys_.capacity() * sizeof(uint64_t) + runs_.capacity() * sizeof(Run) + (index_ ? index_->capacity() * 17 : 0);
}

void KeyedRuns::Write(const Interner& interner, ByteWriter* out) const {
  out->Varint(forget_at_);
  out->I64(lost_);
  out->Varint(keys_.size());
  for (size_t i = 0; i < keys_.size(); ++i) {
    WriteStored(key(i), interner, out);
    for (uint32_t k = 0; k < steps_; ++k) WriteRun(runs(i)[k], out);
  }
}

bool KeyedRuns::Read(Interner* interner, ByteReader* in) {
  forget_at_ = in->Varint();
  lost_ = in->I64();
  const uint64_t size = in->Varint();
  if (size > in->remaining()) return false;
  for (uint64_t i = 0; i < size && in->ok(); ++i) {
    Run* runs = Add(ReadStored(in, interner));
    for (uint32_t k = 0; k < steps_; ++k) runs[k] = ReadRun(in);
  }
  return in->ok();
}

// --- StepRuns ---

uint32_t StepRuns::Present(uint32_t step, uint32_t most) const {
  uint32_t present = 0;
  if (size_ == 0) return present;
  // Counts the one bits from the step on, word by word.
  while (present < most) {
    const uint32_t at = step + present;
    const auto ones = static_cast<uint32_t>(std::countr_one(bits()[at / 64] >> at % 64));
    present += ones;
    if (ones < 64 - at % 64) break;
  }
  return std::min(present, most);
}

uint32_t StepRuns::Rank(uint32_t step) const {
  const uint64_t* words = bits();
  int rank = 0;
  for (uint32_t w = 0; w < step / 64; ++w) rank += __builtin_popcountll(words[w]);
  const uint64_t below = (uint64_t{1} << step % 64) - 1;
  return static_cast<uint32_t>(rank + __builtin_popcountll(words[step / 64] & below));
}

Run* StepRuns::Insert(const SequenceProgram& program, uint32_t step, Run run) {
  if (size_ == capacity_) {
    words_ = (program.step_count() + 63) / 64;
    capacity_ = size_ + 2 + size_ / 2;
    const uint32_t head = (words_ + 1) / 2;
    auto block = std::make_unique<Run[]>(head + capacity_);
    if (block_) {
      std::copy_n(block_.get(), head + size_, block.get());
    } else {
      std::fill_n(reinterpret_cast<uint64_t*>(block.get()), words_, 0);
    }
    block_ = std::move(block);
  }
  const uint32_t rank = Rank(step);
  std::copy_backward(all() + rank, all() + size_, all() + size_ + 1);
  ++size_;
  bits()[step / 64] |= uint64_t{1} << step % 64;
  all()[rank] = run;
  return all() + rank;
}

void StepRuns::Erase(uint32_t step) {
  if (!Has(step)) return;
  const uint32_t rank = Rank(step);
  std::copy(all() + rank + 1, all() + size_, all() + rank);
  --size_;
  bits()[step / 64] &= ~(uint64_t{1} << step % 64);
}

uint32_t StepRuns::Take(const SequenceProgram& program, uint32_t index, const StepEvent& event, Stored key, Interner* interner) {
  const SequenceProgram::Sequence& sequence = program.sequence(index);
  if (event.time < sequence.from || event.time >= sequence.to) return 0;
  if (sequence.column != SequenceProgram::kNoColumn) {
    return key.is_null() ? 0 : TakeKeyed(program, index, event, key, interner);
  }
  const uint32_t first = sequence.first_step;
  const uint32_t most = sequence.tally ? sequence.steps - 1 : sequence.steps;
  const uint32_t present = Present(first, most);
  Run* runs = present == 0 ? nullptr : At(first);
  const uint32_t top = Advance(program, sequence, event, runs, present, [&](Run run) {
    return present == most ? runs : Insert(program, first + present, run) - present;
  });
  if (!sequence.tally || top < sequence.steps) return top;
  // Steps that end with the match, or began before its end, cannot start another.
  for (uint32_t k = 0; k < present; ++k) runs[k].last = kAlways;
  AddToCount(program, sequence);
  return top;
}

uint32_t StepRuns::TakeKeyed(const SequenceProgram& program, uint32_t index, const StepEvent& event, Stored key, Interner* interner) {
  const SequenceProgram::Sequence& sequence = program.sequence(index);
  KeyedRuns* keyed = FindKeyed(index);
  Run* runs = keyed ? keyed->Find(key) : nullptr;
  if (!runs) {
    if (!event.Has(program.steps(sequence).front().mark)) return 0;
    if (!keyed) keyed = AddKeyed(program, index);
    if (keyed->full(program.limit())) {
      const Millis horizon = sequence.keep == kNever ? kAlways : event.time - sequence.keep;
      keyed->Forget(horizon, program.limit(), [&](Stored gone) { gone.Release(interner); });
    }
    runs = keyed->Add(key);
    if (key.is_text()) interner->Retain(key.text());
  }
  const uint32_t top = Advance(program, sequence, event, runs, sequence.steps, [&](Run) { return runs; });
  if (sequence.tally) {
    if (top < sequence.steps) return top;
    AddToCount(program, sequence);
    ClearKeyed(keyed, interner);
    return top;
  }
  for (uint32_t k = 0; k < top; ++k) {
    const uint32_t step = sequence.first_step + k;
    if (!Has(step)) {
      Insert(program, step, {runs[k].start, kAlways});
    } else if (Run* best = At(step); best->start < runs[k].start) {
      best->start = runs[k].start;
    }
  }
  return top;
}

void StepRuns::AddToCount(const SequenceProgram& program, const SequenceProgram::Sequence& sequence) {
  const uint32_t last = sequence.first_step + sequence.steps - 1;
  if (!Has(last)) Insert(program, last, {0, kAlways});
  ++At(last)->start;
}

double StepRuns::Count(const SequenceProgram::Sequence& sequence) const {
  const uint32_t last = sequence.first_step + sequence.steps - 1;
  return Has(last) ? static_cast<double>(At(last)->start) : 0;
}

std::span<const Run> StepRuns::Runs(const SequenceProgram& program, uint32_t sequence, Stored key) const {
  const KeyedRuns* keyed = FindKeyed(sequence);
  const Run* runs = keyed ? keyed->Find(key) : nullptr;
  if (!runs) return {};
  return {runs, program.sequence(sequence).steps};
}

Millis StepRuns::Lost(uint32_t sequence) const {
  const KeyedRuns* keyed = FindKeyed(sequence);
  return keyed ? keyed->lost() : kAlways;
}

KeyedRuns* StepRuns::FindKeyed(uint32_t sequence) {
  const auto place = std::lower_bound(keyed_.begin(), keyed_.end(), sequence,
                                      [](const KeyedRuns& one, uint32_t wanted) { return one.sequence() < wanted; });
  return place != keyed_.end() && place->sequence() == sequence ? &*place : nullptr;
}

KeyedRuns* StepRuns::AddKeyed(const SequenceProgram& program, uint32_t sequence) {
  const auto place = std::lower_bound(keyed_.begin(), keyed_.end(), sequence,
                                      [](const KeyedRuns& one, uint32_t wanted) { return one.sequence() < wanted; });
  return &*keyed_.emplace(place, sequence, program.sequence(sequence).steps);
}

void StepRuns::ClearKeyed(KeyedRuns* keyed, Interner* interner) {
  for (size_t i = 0; i < keyed->size(); ++i) keyed->key(i).Release(interner);
  keyed->Clear();
}

void StepRuns::Reset(const SequenceProgram& program, uint32_t index, const StepRuns* other, Interner* interner) {
  const SequenceProgram::Sequence& sequence = program.sequence(index);
  for (uint32_t step = sequence.first_step; step < sequence.first_step + sequence.steps; ++step) Erase(step);
  if (KeyedRuns* keyed = FindKeyed(index)) ClearKeyed(keyed, interner);
  if (!other) return;
  for (uint32_t step = sequence.first_step; step < sequence.first_step + sequence.steps; ++step) {
    if (other->Has(step)) Insert(program, step, *other->At(step));
  }
  const KeyedRuns* from = other->FindKeyed(index);
  if (!from) return;
  KeyedRuns* to = FindKeyed(index);
  if (!to) to = AddKeyed(program, index);
  to->set_lost(std::max(to->lost(), from->lost()));
  for (size_t i = 0; i < from->size(); ++i) {
    std::copy_n(from->runs(i), sequence.steps, to->Add(from->key(i)));
    if (from->key(i).is_text()) interner->Retain(from->key(i).text());
  }
}

void StepRuns::ReleaseTexts(Interner* interner) {
  for (KeyedRuns& keyed : keyed_) ClearKeyed(&keyed, interner);
}

size_t StepRuns::MemoryBytes() const {
  size_t bytes = (block_ ? (words_ + 1) / 2 + capacity_ : 0) * sizeof(Run) + keyed_.capacity() * sizeof(KeyedRuns);
  for (const KeyedRuns& keyed : keyed_) bytes += keyed.MemoryBytes();
  return bytes;
}

void StepRuns::Write(const Interner& interner, ByteWriter* out) const {
  out->Varint(size_);
  const Run* run = all();
  for (uint32_t w = 0; size_ > 0 && w < words_; ++w) {
    for (uint64_t word = bits()[w]; word != 0; word &= word - 1) {
      out->Varint(w * 64 + static_cast<uint32_t>(std::countr_zero(word)));
      WriteRun(*run++, out);
    }
  }
  out->Varint(keyed_.size());
  for (const KeyedRuns& keyed : keyed_) {
    out->Varint(keyed.sequence());
    keyed.Write(interner, out);
  }
}

bool StepRuns::Read(const SequenceProgram& program, Interner* interner, ByteReader* in) {
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t step = in->Varint();
    if (step >= program.step_count() || Has(static_cast<uint32_t>(step))) return false;
    Insert(program, static_cast<uint32_t>(step), ReadRun(in));
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t sequence = in->Varint();
    if (sequence >= program.size() || FindKeyed(static_cast<uint32_t>(sequence))) return false;
    if (!AddKeyed(program, static_cast<uint32_t>(sequence))->Read(interner, in)) return false;
  }
  return in->ok();
}

}  // namespace attune
