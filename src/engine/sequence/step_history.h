// The events of one user that some sequence of the program may still need, in the order of the user's history.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/time.h"
#include "engine/series/stored.h"

namespace attune {

// The layout of a row: eight bytes of time, a bit for each mark, eight bytes for each column. Belongs to the program.
struct StepLayout {
  uint32_t mark_bytes = 0;
  uint32_t columns = 0;
  size_t row_bytes() const { return sizeof(Millis) + mark_bytes + columns * sizeof(uint64_t); }
};

// The layout must be the same in every call. Views of a row's marks and key values are valid until rows next change.
// Rows hold uses of the interner for the texts among their key values. ReleaseTexts releases them; the destructor does
// not.
class StepHistory {
 public:
  StepHistory() = default;
  ~StepHistory();
  StepHistory(const StepHistory&) = delete;
  StepHistory& operator=(const StepHistory&) = delete;

  size_t size() const { return size_; }
  Millis time(const StepLayout& layout, size_t i) const {
    Millis time;
    std::memcpy(&time, Row(layout, i), sizeof time);
    return time;
  }
  // Bit m % 8 of byte m / 8 is mark m.
  const uint8_t* marks(const StepLayout& layout, size_t i) const { return Row(layout, i) + sizeof(Millis); }
  uint8_t* marks(const StepLayout& layout, size_t i) { return Row(layout, i) + sizeof(Millis); }
  Stored key(const StepLayout& layout, size_t i, uint32_t column) const {
    uint64_t bits;
    std::memcpy(&bits, marks(layout, i) + layout.mark_bytes + column * sizeof bits, sizeof bits);
    return Stored::FromBits(bits);
  }
  // Takes ownership of a use of the text.
  void SetKey(const StepLayout& layout, size_t i, uint32_t column, Stored key) {
    const uint64_t bits = key.bits();
    std::memcpy(marks(layout, i) + layout.mark_bytes + column * sizeof bits, &bits, sizeof bits);
  }

  // The number of events with time <= t.
  size_t CountUpTo(const StepLayout& layout, Millis t) const;
  // Inserts a row without marks and keys after all rows that are not later. Returns its index.
  size_t Insert(const StepLayout& layout, Millis time);
  // Drops the rows for which keep(i) is false. Calls keep in order.
  template <typename Keep>
  void Filter(const StepLayout& layout, Interner* interner, Keep keep) {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (!keep(i)) {
        ReleaseRow(layout, i, interner);
      } else if (kept++ != i) {
        std::memcpy(Row(layout, kept - 1), Row(layout, i), layout.row_bytes());
      }
    }
    size_ = static_cast<uint32_t>(kept);
    Shrink(layout);
  }

  void ReleaseTexts(const StepLayout& layout, Interner* interner);
  size_t MemoryBytes(const StepLayout& layout) const { return capacity_ * layout.row_bytes(); }
  void Write(const StepLayout& layout, const Interner& interner, ByteWriter* out) const;
  bool Read(const StepLayout& layout, Interner* interner, ByteReader* in);

 private:
  const uint8_t* Row(const StepLayout& layout, size_t i) const { return rows_ + i * layout.row_bytes(); }
  uint8_t* Row(const StepLayout& layout, size_t i) { return rows_ + i * layout.row_bytes(); }
  void ReleaseRow(const StepLayout& layout, size_t i, Interner* interner);
  void Resize(const StepLayout& layout, uint32_t capacity);
  void Shrink(const StepLayout& layout);

  uint8_t* rows_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace attune
