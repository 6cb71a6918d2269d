// The instants of one user's events of one selector, in the order of her history, with one property's values if wanted.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/bytes.h"
#include "engine/exact_sum.h"
#include "engine/stored.h"

namespace attune {

class Series {
 public:
  Series() = default;
  Series(Series&& other) noexcept { *this = std::move(other); }
  Series& operator=(Series&& other) noexcept;
  ~Series();

  size_t size() const { return size_; }
  Millis time(size_t i) const { return times()[i]; }
  Stored value(size_t i) const { return Stored::FromBits(values()[i]); }
  const Millis* begin() const { return times(); }
  const Millis* end() const { return times() + size_; }

  // Puts an event at its place: behind all that are not later. `with_values` is the same in every call.
  void Insert(Millis time, Stored value, bool with_values);
  // Forgets the oldest `n`, giving back their texts.
  void DropFront(size_t n, Interner* interner);

  // The number of events with time <= t.
  size_t CountUpTo(Millis t) const;

  // The sum of the numbers among the values [from, to), and how many they are. Constant time for long series, once the
  // running sums stand.
  ExactSum Sum(size_t from, size_t to, size_t* count) const;

  // Events were dropped because the plan's limit was reached: answers about older ones are incomplete.
  bool truncated() const { return truncated_; }
  void set_truncated() { truncated_ = true; }

  // Some value put in so far was a number below zero.
  bool has_negative() const { return has_negative_; }

  size_t MemoryBytes() const;
  void Write(const Interner& interner, bool with_values, ByteWriter* out) const;
  bool Read(Interner* interner, bool with_values, ByteReader* in);

 private:
  struct Running {  // before each entry, from the first one held
    ExactSum sum;
    uint32_t count = 0;
  };

  Millis* times() const { return block_ + head_; }
  uint64_t* values() const { return reinterpret_cast<uint64_t*>(block_ + capacity_ + head_); }
  void Reserve(bool with_values);

  Millis* block_ = nullptr;  // capacity_ instants, then capacity_ values if wanted
  uint32_t head_ = 0;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  bool with_values_ = false;
  bool truncated_ = false;
  bool has_negative_ = false;
  mutable std::unique_ptr<std::deque<Running>> running_;  // of entries [0, n) held, n <= size_; made when first needed
};

}  // namespace attune
