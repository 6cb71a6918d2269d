#include "engine/sequence/step_history.h"

#include <cstdlib>
#include <vector>

namespace attune {

StepHistory::~StepHistory() { std::free(rows_); }

size_t StepHistory::CountUpTo(const StepLayout& layout, Millis t) const {
  if (size_ == 0 || t >= time(layout, size_ - 1)) return size_;
  size_t from = 0;
  size_t to = size_ - 1;
  while (from < to) {
    const size_t middle = from + (to - from) / 2;
    if (time(layout, middle) <= t) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

void StepHistory::Resize(const StepLayout& layout, uint32_t capacity) {
  rows_ = static_cast<uint8_t*>(std::realloc(rows_, capacity * layout.row_bytes()));
  ATTUNE_CHECK(rows_ != nullptr, "state cannot grow without memory");
  capacity_ = capacity;
}

void StepHistory::Shrink(const StepLayout& layout) {
  if (size_ > 0 && size_ < capacity_ / 4) Resize(layout, size_ + size_ / 2 + 1);
}

size_t StepHistory::Insert(const StepLayout& layout, Millis at) {
  if (size_ == capacity_) Resize(layout, capacity_ < 8 ? capacity_ + 2 : capacity_ + capacity_ / 2);
  const size_t index = CountUpTo(layout, at);
  uint8_t* row = Row(layout, index);
  std::memmove(row + layout.row_bytes(), row, (size_ - index) * layout.row_bytes());
  ++size_;
  std::memcpy(row, &at, sizeof at);
  std::memset(row + sizeof at, 0, layout.mark_bytes);
  for (uint32_t c = 0; c < layout.columns; ++c) SetKey(layout, index, c, Stored());
  return index;
}

void StepHistory::ReleaseRow(const StepLayout& layout, size_t i, Interner* interner) {
  for (uint32_t c = 0; c < layout.columns; ++c) key(layout, i, c).Release(interner);
}

void StepHistory::ReleaseTexts(const StepLayout& layout, Interner* interner) {
  for (size_t i = 0; i < size_; ++i) ReleaseRow(layout, i, interner);
}

void StepHistory::Write(const StepLayout& layout, const Interner& interner, ByteWriter* out) const {
  out->Varint(size_);
  Millis last = 0;
  for (size_t i = 0; i < size_; ++i) {
    out->Zigzag(time(layout, i) - last);
    last = time(layout, i);
    out->Raw({reinterpret_cast<const char*>(marks(layout, i)), layout.mark_bytes});
    for (uint32_t c = 0; c < layout.columns; ++c) WriteStored(key(layout, i, c), interner, out);
  }
}

bool StepHistory::Read(const StepLayout& layout, Interner* interner, ByteReader* in) {
  const uint64_t size = in->Varint();
  if (size > in->remaining()) return false;
  if (size > 0) Resize(layout, static_cast<uint32_t>(size));
  Millis last = 0;
  for (uint64_t n = 0; n < size && in->ok(); ++n) {
    const Millis delta = in->Zigzag();
    if (n > 0 && delta < 0) return false;
    last += delta;
    const size_t i = Insert(layout, last);
    const std::string_view marked = in->Raw(layout.mark_bytes);
    if (!in->ok()) return false;
    if (!marked.empty()) std::memcpy(marks(layout, i), marked.data(), marked.size());
    for (uint32_t c = 0; c < layout.columns; ++c) SetKey(layout, i, c, ReadStored(in, interner));
  }
  return in->ok();
}

}  // namespace attune
