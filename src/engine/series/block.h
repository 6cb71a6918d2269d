// The memory of one user: arrays side by side in one allocation, so that whoever looks at a user reads one stretch of
// memory and not thirty.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace attune {

// Where an array lies in its user's block. Everything is counted in words of eight bytes; an array of several lanes
// (instants, and a value for each) has room * lanes of them, one lane behind the other.
struct Array {
  static constexpr uint32_t kMaxRoom = (1U << 18) - 1;
  static constexpr uint64_t kMaxWords = uint64_t{1} << 26;

  uint64_t at : 26 = 0;
  uint64_t size : 18 = 0;       // entries in use
  uint64_t room : 18 = 0;       // entries it can hold where it is
  uint64_t truncated : 1 = 0;   // of a series: events were dropped because of the plan's limit
  uint64_t negative : 1 = 0;    // of a series: some value put in was a number below zero
};
static_assert(sizeof(Array) == 8);

// Words that arrays are cut from, first to last. What an array leaves behind when it moves is lost until the owner has
// all arrays moved into a new block.
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
  // An empty block with room for so many words.
  explicit Block(uint32_t words);

  uint64_t* words(uint32_t at) { return words_ + at; }
  const uint64_t* words(uint32_t at) const { return words_ + at; }
  // Where the next `count` words begin, if the block has as many left.
  bool Has(uint64_t count) const { return used_ + count <= size_; }
  uint32_t Take(uint32_t count) { return std::exchange(used_, used_ + count); }
  uint32_t used() const { return used_; }
  uint32_t size() const { return size_; }

  // Asks the processor to bring the block near.
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
