#include "engine/series/block.h"

#include "base/check.h"

namespace attune {

Block::Block(uint32_t words) : words_(static_cast<uint64_t*>(std::malloc(words * sizeof(uint64_t)))), size_(words) {
  ATTUNE_CHECK(words_ != nullptr, "state cannot grow without memory");
}

}  // namespace attune
