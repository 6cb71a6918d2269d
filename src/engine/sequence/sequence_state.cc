#include "engine/sequence/sequence_state.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace attune {
namespace {

using QueryKind = SequenceQuery::Kind;

constexpr uint8_t kVersion = 1;

Millis KeepOf(const SequenceProgram& program, std::span<const uint32_t> selectors) {
  Millis keep = program.keep_of_any();
  for (const uint32_t selector : selectors) {
    const uint32_t mark = program.MarkOf(selector);
    if (mark != SequenceProgram::kNoMark) keep = std::max(keep, program.KeepOf(mark));
  }
  return keep;
}

template <typename Fn>
void ForEachMark(const StepLayout& layout, const uint8_t* marks, Fn fn) {
  for (uint32_t byte = 0; byte < layout.mark_bytes; byte += 8) {
    uint64_t bits = 0;
    std::memcpy(&bits, marks + byte, std::min<size_t>(8, layout.mark_bytes - byte));
    for (; bits != 0; bits &= bits - 1) fn(byte * 8 + static_cast<uint32_t>(std::countr_zero(bits)));
  }
}

}  // namespace

// --- events ---

void SequenceState::TakeIn(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors,
                           std::span<const Value> fields, Interner* interner, std::vector<uint32_t>* advanced) {
  const StepLayout& layout = program.layout();
  const bool late = history_.size() > 0 && time < history_.time(layout, history_.size() - 1);
  if (late && IsTooLate(program, time, selectors)) return;
  const size_t row = AddRow(program, time, selectors, fields, interner);
  if (late) {
    Rebuild(program, row, interner);
  } else {
    TakeRow(program, row, EventAt(program, row, ++serial_), nullptr, &runs_, interner, advanced);
  }
  if (history_.size() >= trim_at_) Trim(program, interner);
}

// Whether no window can contain the event, or its place is among events that were dropped.
bool SequenceState::IsTooLate(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors) {
  const Millis latest = history_.time(program.layout(), history_.size() - 1);
  if (latest - time >= KeepOf(program, selectors)) return true;
  if (!dropped_ || time >= dropped_->last) return false;
  dropped_->lost = dropped_->last;
  return true;
}

size_t SequenceState::AddRow(const SequenceProgram& program, Millis time, std::span<const uint32_t> selectors,
                             std::span<const Value> fields, Interner* interner) {
  const StepLayout& layout = program.layout();
  const size_t row = history_.Insert(layout, time);
  uint8_t* marks = history_.marks(layout, row);
  for (const uint32_t selector : selectors) {
    const uint32_t mark = program.MarkOf(selector);
    if (mark == SequenceProgram::kNoMark) continue;
    marks[mark / 8] = static_cast<uint8_t>(marks[mark / 8] | 1 << mark % 8);
    for (const uint32_t column : program.ColumnsOf(mark)) {
      if (!history_.key(layout, row, column).is_null()) continue;
      history_.SetKey(layout, row, column, Stored::Acquire(fields[program.FieldOf(column)], interner));
    }
  }
  return row;
}

StepEvent SequenceState::EventAt(const SequenceProgram& program, size_t row, int64_t serial) const {
  const StepLayout& layout = program.layout();
  StepEvent event;
  event.time = history_.time(layout, row);
  if (row > 0) {
    event.previous = history_.time(layout, row - 1);
  } else if (dropped_) {
    event.previous = dropped_->last;
  }
  event.serial = serial;
  event.marks = history_.marks(layout, row);
  return event;
}

uint64_t SequenceState::Listeners(const SequenceProgram& program, size_t row, size_t w) const {
  uint64_t listeners = 0;
  ForEachMark(program.layout(), history_.marks(program.layout(), row), [&](uint32_t m) { listeners |= program.ListenersOf(m)[w]; });
  return listeners;
}

void SequenceState::TakeRow(const SequenceProgram& program, size_t row, const StepEvent& event,
                            const std::vector<uint64_t>* only, StepRuns* runs, Interner* interner,
                            std::vector<uint32_t>* advanced) {
  for (size_t w = 0; w < program.words(); ++w) {
    uint64_t listeners = Listeners(program, row, w);
    if (only) listeners &= (*only)[w];
    for (; listeners != 0; listeners &= listeners - 1) {
      const auto s = static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(listeners)));
      const SequenceProgram::Sequence& sequence = program.sequence(s);
      const Stored key = sequence.column == SequenceProgram::kNoColumn ? Stored() : history_.key(program.layout(), row, sequence.column);
      const uint32_t top = runs->Take(program, s, event, key, interner);
      if (advanced && (top == sequence.steps || (sequence.deep && top > 0))) advanced->push_back(s);
    }
  }
}

// Rebuilds the runs that an inserted row may change: of the sequences that listen to it, and of all with `=>`, because
// the row separates its neighbours and changes the serials of those after it.
void SequenceState::Rebuild(const SequenceProgram& program, size_t row, Interner* interner) {
  scans_.clear();
  std::vector<uint64_t> concerned(program.next_sequences().begin(), program.next_sequences().end());
  bool any = false;
  for (size_t w = 0; w < concerned.size(); ++w) {
    concerned[w] |= Listeners(program, row, w);
    any |= concerned[w] != 0;
    for (uint64_t word = concerned[w]; word != 0; word &= word - 1) {
      const auto s = static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(word)));
      runs_.Reset(program, s, dropped_ ? &dropped_->runs : nullptr, interner);
    }
  }
  serial_ = dropped_ ? dropped_->serial : 0;
  if (!any) return;
  for (size_t i = 0; i < history_.size(); ++i) TakeRow(program, i, EventAt(program, i, ++serial_), &concerned, &runs_, interner);
}

// Drops the rows that no window can contain any more, and at the limit the oldest ones.
void SequenceState::Trim(const SequenceProgram& program, Interner* interner) {
  const StepLayout& layout = program.layout();
  scans_.clear();
  const Millis latest = history_.time(layout, history_.size() - 1);
  history_.Filter(layout, interner, [&](size_t i) {
    Millis keep = program.keep_of_any();
    ForEachMark(layout, history_.marks(layout, i), [&](uint32_t mark) { keep = std::max(keep, program.KeepOf(mark)); });
    return latest - history_.time(layout, i) < keep;
  });
  const size_t limit = program.limit();
  if (history_.size() > limit) {
    const size_t excess = history_.size() - limit;
    if (!dropped_) dropped_ = std::make_unique<Dropped>();
    for (size_t i = 0; i < excess; ++i) {
      TakeRow(program, i, EventAt(program, i, ++dropped_->serial), nullptr, &dropped_->runs, interner);
    }
    dropped_->last = history_.time(layout, excess - 1);
    history_.Filter(layout, interner, [&](size_t i) { return i >= excess; });
  }
  // In batches, because each trim reads all rows.
  trim_at_ = std::min(std::max(kFirstTrim, 2 * history_.size()), limit + limit / 8 + 1);
}

// --- answers ---

SequenceReading SequenceState::Read(const SequenceProgram& program, uint32_t query_id, Millis low, Millis high) const {
  const SequenceQuery& query = program.query(query_id);
  const SequenceProgram::Sequence& sequence = program.sequence(query.sequence);
  const Millis latest = history_.size() == 0 ? kAlways : history_.time(program.layout(), history_.size() - 1);
  SequenceReading reading;
  const bool from_runs = high >= latest && (query.kind != QueryKind::kMatches || sequence.tally);
  if (from_runs) {
    reading = FromRuns(program, query, low, nullptr);
    reading.high_from = latest;
  } else {
    auto scan = std::find_if(scans_.begin(), scans_.end(), [&](const SequenceScan& s) { return s.query() == query_id; });
    if (scan == scans_.end()) scan = scans_.emplace(scans_.end(), query_id);
    reading = scan->Read(program, history_, low, high, nullptr);
  }
  SetCompleteness(query.sequence, low, from_runs, &reading);
  return reading;
}

SequenceReading SequenceState::ReadRestricted(const SequenceProgram& program, uint32_t query_id, Millis low, Millis high,
                                              const StepRestriction& restriction) const {
  const SequenceQuery& query = program.query(query_id);
  const SequenceProgram::Sequence& sequence = program.sequence(query.sequence);
  const Millis latest = history_.size() == 0 ? kAlways : history_.time(program.layout(), history_.size() - 1);
  SequenceReading reading;
  const bool from_runs = high >= latest && query.kind != QueryKind::kMatches && sequence.column == restriction.column;
  if (from_runs) {
    reading = FromRuns(program, query, low, &restriction.value);
    reading.high_from = latest;
  } else {
    reading = SequenceScan(query_id).Read(program, history_, low, high, &restriction);
  }
  SetCompleteness(query.sequence, low, from_runs, &reading);
  return reading;
}

void SequenceState::SetCompleteness(uint32_t sequence, Millis low, bool from_runs, SequenceReading* reading) const {
  Millis lost = from_runs ? runs_.Lost(sequence) : kAlways;
  if (dropped_) lost = std::max(lost, from_runs ? dropped_->lost : dropped_->last);
  reading->incomplete = low < lost;
  if (!reading->incomplete) reading->low_from = std::max(reading->low_from, lost);
}

SequenceReading SequenceState::FromRuns(const SequenceProgram& program, const SequenceQuery& query, Millis low,
                                        const Stored* key) const {
  const SequenceProgram::Sequence& sequence = program.sequence(query.sequence);
  SequenceReading reading;
  if (sequence.tally) {
    reading.value = runs_.Count(sequence);
    return reading;
  }
  const std::span<const Run> runs = key ? runs_.Runs(program, query.sequence, *key) : runs_.Runs(sequence);
  const auto start = [&](size_t step) { return step < runs.size() ? runs[step].start : kAlways; };
  if (query.kind == QueryKind::kHolds) {
    const Millis best = start(sequence.steps - 1);
    reading.value = best > low ? 1 : 0;
    (best > low ? reading.low_to : reading.low_from) = best;
    return reading;
  }
  uint32_t depth = 0;
  while (start(depth) > low) ++depth;
  reading.value = depth;
  reading.low_from = start(depth);
  if (depth > 0) reading.low_to = start(depth - 1);
  return reading;
}

// --- bytes ---

void SequenceState::ReleaseTexts(const SequenceProgram& program, Interner* interner) {
  history_.ReleaseTexts(program.layout(), interner);
  runs_.ReleaseTexts(interner);
  if (dropped_) dropped_->runs.ReleaseTexts(interner);
}

size_t SequenceState::MemoryBytes(const SequenceProgram& program) const {
  size_t bytes = sizeof(SequenceState) + history_.MemoryBytes(program.layout()) + runs_.MemoryBytes();
  if (dropped_) bytes += sizeof(Dropped) + dropped_->runs.MemoryBytes();
  for (const SequenceScan& scan : scans_) bytes += scan.MemoryBytes();
  return bytes;
}

void SequenceState::Write(const SequenceProgram& program, const Interner& interner, ByteWriter* out) const {
  out->U8(kVersion);
  history_.Write(program.layout(), interner, out);
  runs_.Write(interner, out);
  out->Zigzag(serial_);
  out->Varint(trim_at_);
  out->Bool(dropped_ != nullptr);
  if (!dropped_) return;
  dropped_->runs.Write(interner, out);
  out->Zigzag(dropped_->serial);
  out->I64(dropped_->last);
  out->I64(dropped_->lost);
}

bool SequenceState::Read(const SequenceProgram& program, Interner* interner, ByteReader* in) {
  if (in->U8() != kVersion) return false;
  if (!history_.Read(program.layout(), interner, in) || !runs_.Read(program, interner, in)) return false;
  serial_ = in->Zigzag();
  trim_at_ = in->Varint();
  if (!in->Bool()) return in->ok();
  dropped_ = std::make_unique<Dropped>();
  if (!dropped_->runs.Read(program, interner, in)) return false;
  dropped_->serial = in->Zigzag();
  dropped_->last = in->I64();
  dropped_->lost = in->I64();
  return in->ok();
}

bool SequenceState::HasEventAt(const SequenceProgram& program, Millis time) const {
  size_t low = 0, high = history_.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    history_.time(program.layout(), middle) < time ? low = middle + 1 : high = middle;
  }
  return low < history_.size() && history_.time(program.layout(), low) == time;
}

}  // namespace attune
