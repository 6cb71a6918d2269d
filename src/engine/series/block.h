// The memory of one user: arrays in one allocation, so that reading a user touches one range of memory.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace attune {

// The position of an array in its user's block. Units are words of eight bytes. An array with several lanes (instants,
// and a value for each) has room * lanes words, one lane after the other.
struct Array {
  static constexpr uint32_t kMaxRoom = (1U << 18) - 1;
  static constexpr uint64_t kMaxWords = uint64_t{1} << 26;

  uint64_t at : 26 = 0;
  uint64_t size : 18 = 0;       // entries used
  uint64_t room : 18 = 0;       // entries that fit without moving
  uint64_t truncated : 1 = 0;   // of a series: the plan's limit dropped events
  uint64_t negative : 1 = 0;    // of a series: some added value was a negative number
};
static_assert(sizeof(Array) == 8);

// Words from which arrays are allocated in order. An array that moves leaves its space unused until the owner moves all
// arrays into a new block.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept {
    std::swap(words_, other.words_);
    std::swap(size_, other.size_);
    std::swap(used_, other.used_);
    return *this;
  }
  ~Block() { std::free(words_); }
  // An empty block with room for `words` words.
  explicit Block(uint32_t words);

  uint64_t* words(uint32_t at) { return words_ + at; }
  const uint64_t* words(uint32_t at) const { return words_ + at; }
  // Whether the block has `count` words left; Take returns where they begin.
  bool Has(uint64_t count) const { return used_ + count <= size_; }
  uint32_t Take(uint32_t count) { return std::exchange(used_, used_ + count); }
  uint32_t used() const { return used_; }
  uint32_t size() const { return size_; }

  // Prefetches the block into the processor's cache.
  void Prefetch() const {
    const char* bytes = reinterpret_cast<const char*>(words_);
    const size_t end = used_ * sizeof(uint64_t) < kPrefetched ? used_ * sizeof(uint64_t) : kPrefetched;
    for (size_t i = 0; i < end; i += 64) __builtin_prefetch(bytes + i);
  }

 private:
  static constexpr size_t kPrefetched = 4096;  // bytes; the processor follows a longer run by itself

  uint64_t* words_ = nullptr;
  uint32_t size_ = 0;
  uint32_t used_ = 0;
};

}  // namespace attune
