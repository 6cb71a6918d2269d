// Checks that every dead letter in a store has its record in the log. Reads both once, in order, side by side.
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
  uint64_t kept = 0;     // letters in the store that have such a record
  uint64_t repeats = 0;  // how often these were repeated
  Status store;          // the error that ended reading the store, if any
};

// `first` and `last` are the first and last record of the log; 0: it has none. Calls `damage` with the name of each
// letter without a record. Errors: as ReadableLog and LogReader.
Result<LetterCheck> CheckLetters(const Store& store, ReadableLog* log, uint64_t first, uint64_t last,
                                 const std::function<void(std::string_view name)>& damage);

}  // namespace attune
