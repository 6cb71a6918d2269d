// Encodes fixed-width and variable-width values to bytes: the format of state, snapshots and
// records. Fixed-width values are little endian. A varint is LEB128 (7 bits a byte, low bits first,
// at most 10 bytes). A zigzag maps 0, -1, 1, -2 … to 0, 1, 2, 3 … and is written as a varint. A
// string is its length as a varint, then its bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace attune {

static_assert(std::endian::native == std::endian::little, "fixed-width values are copied as they are");

// Appends to its own string; never fails.
class ByteWriter {
 public:
  ByteWriter() = default;
  // Appends to `start`: pass an old string to reuse its memory.
  explicit ByteWriter(std::string start) : bytes_(std::move(start)) {}

  void U8(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void U16(uint16_t value) { Fixed(value); }
  void U32(uint32_t value) { Fixed(value); }
  void U64(uint64_t value) { Fixed(value); }
  void I64(int64_t value) { Fixed(value); }
  void Double(double value) { Fixed(value); }  // its IEEE 754 bits, NaN payloads included
  void Bool(bool value) { U8(value ? 1 : 0); }

  void Varint(uint64_t value) {
    while (value >= 0x80) {
      U8(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    U8(static_cast<uint8_t>(value));
  }
  void Zigzag(int64_t value) { Varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63)); }
  void String(std::string_view value) {
    Varint(value.size());
    Raw(value);
  }
  // The bytes alone, without a length.
  void Raw(std::string_view value) { bytes_.append(value); }

  size_t size() const { return bytes_.size(); }
  // Valid until the next call that appends.
  std::string_view view() const { return bytes_; }
  // Moves the bytes out; the writer is empty afterwards.
  std::string Take() { return std::exchange(bytes_, {}); }
  // Empties it and keeps the memory.
  void Clear() { bytes_.clear(); }

 private:
  template <typename T>
  void Fixed(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  std::string bytes_;
};

// Reads in the order in which a ByteWriter wrote. It never reads past the end: the first read that
// would (or a varint of more than 64 bits) makes ok() false permanently, and that read and all
// later ones return 0 or an empty string. So read a whole structure, then check ok() once. Do not
// reserve memory by a count read from the bytes without comparing it with remaining() first. The
// bytes must outlive the reader and the views that String() and Raw() return.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint16_t U16() { return Fixed<uint16_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  int64_t I64() { return Fixed<int64_t>(); }
  double Double() { return Fixed<double>(); }
  bool Bool() { return U8() != 0; }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = U8();
      if (!ok_) return 0;
      if (shift == 63 && byte > 1) break;  // would not fit into 64 bits
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Fail();
    return 0;
  }
  int64_t Zigzag() {
    const uint64_t value = Varint();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view String() { return Raw(Varint()); }
  // The next `size` bytes.
  std::string_view Raw(uint64_t size) {
    if (size > rest_.size()) {
      Fail();
      return rest_;
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }

  bool ok() const { return ok_; }
  // True when everything was read without an error.
  bool done() const { return ok_ && rest_.empty(); }
  size_t remaining() const { return rest_.size(); }

 private:
  void Fail() {
    ok_ = false;
    rest_ = "";  // not null, so that empty strings read from here can be copied like any other
  }

  template <typename T>
  T Fixed() {
    T value{};
    if (rest_.size() < sizeof value) {
      Fail();
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace attune
