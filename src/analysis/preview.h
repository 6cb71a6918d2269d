// Finds who would be in a segment if it were in the plan: the engine evaluates an expression over a stored history.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/stored_history.h"
#include "plan/plan.h"

namespace attune {

struct PreviewQuestion {
  std::shared_ptr<const Plan> plan;
  ExpressionPtr when;                  // a condition, parsed against the plan
  const Segment* against = nullptr;    // of the plan, to compare with; null: none
  Millis at = 0;                       // the instant; a user with a later event is judged at that event
  size_t sample = 10;                  // the most users listed for each group
};

// A set of users: its size, and a sample of ids. The sample has the ids with the smallest hashes, so it is the same for
// the same users.
class Crowd {
 public:
  explicit Crowd(size_t sample) : sample_(sample) {}
  void Add(std::string_view user);
  uint64_t size() const { return size_; }
  std::vector<std::string> Sample() const;  // sorted

 private:
  size_t sample_;
  uint64_t size_ = 0;
  std::vector<std::pair<uint64_t, std::string>> named_;  // a heap, the largest hash in front
};

struct Preview {
  explicit Preview(size_t sample) : members(sample), entering(sample), leaving(sample) {}

  uint64_t users = 0;
  Crowd members;               // for whom the expression holds
  uint64_t incomplete = 0;     // users for whom the plan's limits.events dropped events that the answer needs
  int64_t state_bound = 0;     // the most bytes of state for each user, as in `attune check`
  // Compared with the present definition: its members, those who would join, and those who would leave.
  uint64_t present = 0;
  Crowd entering;
  Crowd leaving;
};

// Reads the history twice and keeps state for every user, for the expression only. Blocks until it is done or cancelled
// (kUnavailable). kCorrupt, kIo: as the history.
Result<Preview> RunPreview(const PreviewQuestion& question, StoredHistory* history, StudyProgress* progress);

}  // namespace attune
