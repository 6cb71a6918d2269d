#include "engine/series.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace attune {
namespace {

constexpr size_t kScanned = 64;  // up to so many values are simply added up

}  // namespace

Series& Series::operator=(Series&& other) noexcept {
  std::swap(block_, other.block_);
  std::swap(head_, other.head_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(with_values_, other.with_values_);
  std::swap(truncated_, other.truncated_);
  std::swap(has_negative_, other.has_negative_);
  std::swap(running_, other.running_);
  return *this;
}

Series::~Series() { std::free(block_); }

// Makes room for one more behind the last.
void Series::Reserve(bool with_values) {
  if (head_ + size_ < capacity_) return;
  const size_t lanes = with_values ? 2 : 1;
  uint32_t capacity = capacity_;
  if (head_ <= capacity_ / 4) capacity = capacity_ < 8 ? capacity_ + 2 : capacity_ + capacity_ / 2;
  Millis* block = static_cast<Millis*>(std::malloc(capacity * lanes * sizeof(Millis)));
  ATTUNE_CHECK(block != nullptr, "state cannot grow without memory");
  if (size_ > 0) {
    std::memcpy(block, times(), size_ * sizeof(Millis));
    if (with_values) std::memcpy(block + capacity, values(), size_ * sizeof(Millis));
  }
  std::free(block_);
  block_ = block;
  capacity_ = capacity;
  head_ = 0;
}

void Series::Insert(Millis time, Stored value, bool with_values) {
  with_values_ = with_values;
  Reserve(with_values);
  size_t at = size_;
  if (size_ > 0 && time < times()[size_ - 1]) at = CountUpTo(time);
  std::memmove(times() + at + 1, times() + at, (size_ - at) * sizeof(Millis));
  times()[at] = time;
  if (with_values) {
    std::memmove(values() + at + 1, values() + at, (size_ - at) * sizeof(Millis));
    values()[at] = value.bits();
    has_negative_ |= value.is_number() && value.number() < 0;
  }
  ++size_;
  if (running_ && running_->size() > at + 1) running_->resize(at + 1);
}

void Series::DropFront(size_t n, Interner* interner) {
  if (with_values_) {
    for (size_t i = 0; i < n; ++i) value(i).Release(interner);
  }
  head_ += static_cast<uint32_t>(n);
  size_ -= static_cast<uint32_t>(n);
  if (running_) running_->erase(running_->begin(), running_->begin() + static_cast<ptrdiff_t>(std::min(n, running_->size())));
}

size_t Series::CountUpTo(Millis t) const {
  if (size_ == 0 || t >= times()[size_ - 1]) return size_;
  return static_cast<size_t>(std::upper_bound(begin(), end(), t) - begin());
}

ExactSum Series::Sum(size_t from, size_t to, size_t* count) const {
  ExactSum sum;
  if (to - from <= kScanned) {
    size_t n = 0;
    for (size_t i = from; i < to; ++i) {
      if (!value(i).is_number()) continue;
      sum.Add(value(i).number());
      ++n;
    }
    *count = n;
    return sum;
  }
  if (!running_) running_ = std::make_unique<std::deque<Running>>();
  while (running_->size() <= to) {
    Running next = running_->empty() ? Running() : running_->back();
    const size_t before = running_->size();
    if (before > 0 && value(before - 1).is_number()) {
      next.sum.Add(value(before - 1).number());
      ++next.count;
    }
    running_->push_back(next);
  }
  const Running& end = (*running_)[to];
  const Running& begin = (*running_)[from];
  *count = end.count - begin.count;
  sum = end.sum;
  sum.Subtract(begin.sum);
  return sum;
}

size_t Series::MemoryBytes() const {
  return capacity_ * sizeof(Millis) * (with_values_ ? 2 : 1) + (running_ ? running_->size() * sizeof(Running) : 0);
}

void Series::Write(const Interner& interner, bool with_values, ByteWriter* out) const {
  out->Bool(truncated_);
  out->Varint(size_);
  Millis last = 0;
  for (size_t i = 0; i < size_; ++i) {
    out->Zigzag(times()[i] - last);
    last = times()[i];
  }
  for (size_t i = 0; with_values && i < size_; ++i) WriteStored(value(i), interner, out);
}

bool Series::Read(Interner* interner, bool with_values, ByteReader* in) {
  truncated_ = in->Bool();
  const uint64_t size = in->Varint();
  if (size > in->remaining()) return false;
  std::vector<Millis> instants(size);
  Millis last = 0;
  for (Millis& instant : instants) instant = last += in->Zigzag();
  for (size_t i = 0; i < size && in->ok(); ++i) {
    Insert(instants[i], with_values ? ReadStored(in, interner) : Stored(), with_values);
  }
  return in->ok();
}

}  // namespace attune
