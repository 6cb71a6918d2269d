// Whether every dead letter that a store keeps is of a record of the log: both are read once, in order, side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "log/log.h"
#include "state/store.h"

namespace attune {

struct LetterCheck {
  uint64_t logged = 0;   // records of dead letters in the log
  uint64_t kept = 0;     // letters in the store that are of one of them
  uint64_t repeats = 0;  // how often those came again
  Status store;          // what kept the store from being read to its end
};

// `first` and `last` are the log's records; 0: it has none. Calls `damage` with the name of each letter that is of no record.
// Errors: as ReadableLog and LogReader.
Result<LetterCheck> CheckLetters(const Store& store, ReadableLog* log, uint64_t first, uint64_t last,
                                 const std::function<void(std::string_view name)>& damage);

}  // namespace attune
