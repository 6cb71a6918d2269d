// Whether what a store holds is what its log gives: the log is read from its beginning under the plan that served, and each
// shard's state is compared with the one that is built so, at the record that its snapshot includes.
//
// Compared are users (their clocks, values, segments and since when, latest events), who is who, the index of histories, and
// the effects that the outbox keeps. Bytes may differ where the meaning does not: what is forgotten lazily is forgotten at
// different times.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/program/program.h"
#include "log/log.h"
#include "state/store.h"

namespace attune {

struct StateReport {
  bool other_plan = false;        // some snapshot is of another plan: it is not read, the next start builds its state from the log
  uint64_t first_position = 0;    // the earliest record and ...
  uint64_t last_position = 0;     // ... the latest one that a shard's snapshot includes
  uint64_t users = 0;             // read, and compared unless the check was a quick one
  uint64_t memberships = 0;       // segments held by them
  uint64_t index_entries = 0;     // records in their histories
  uint64_t effects = 0;           // kept by the outbox
  uint64_t other_effects = 0;     // that the log gives otherwise, or not: as when they were told under another plan
  uint64_t damages = 0;
  std::vector<std::string> found;  // what is wrong, as far as kMostFoundInState
};

inline constexpr size_t kMostFoundInState = 1000;

struct StateCheckOptions {
  ReadableLog* log = nullptr;  // without damage
  uint64_t first_sequence = 1;  // of the log: beyond 1 nothing can be built from it, and the check is a quick one
  uint64_t last_sequence = 0;
  bool quick = false;       // only that everything can be read, and no snapshot is ahead of the log
  std::function<void(uint64_t done, uint64_t total)> on_progress;  // records
};

// kCorrupt, kInvalid, kIo: what kept the check from its end; `report` then has what was found before. Damage that was found
// is no error here.
Status CheckState(const Store& store, const std::shared_ptr<const Program>& program, const StateCheckOptions& options, StateReport* report);

}  // namespace attune
