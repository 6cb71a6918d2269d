// The sizes of segments over time: samples, thinned as they age, and kept in the store so that a restart continues
// them.
//
// A point is the size of a segment at an instant of the server's clock. It is taken when the size differs from the
// previous point's. The last point of each minute is kept for 3 hours, of each hour for 7 days, of each day (UTC) for
// 400 days: at most 750 points, however long the server runs. Changes that cancel out between two points are not
// recorded. The history belongs to the segment's name and definition: a new definition begins a new history.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/text_map.h"
#include "base/time.h"
#include "plan/plan.h"
#include "state/store.h"

namespace attune {

struct SizePoint {
  Millis at;
  uint64_t size;
  bool operator==(const SizePoint&) const = default;
};

// Removes the points that are not kept at `now`. Points must be in order of time.
void ThinPoints(Millis now, std::vector<SizePoint>* points);

// Any thread.
class SizeHistory {
 public:
  // Segments are indexed by their position in the plan.
  explicit SizeHistory(const Plan& plan);

  // Reads what the store has for these segments.
  Status Restore(const Store& store);
  // Adds a point for each segment whose size has changed. Adds the matching changes of the store to `batch`.
  void Sample(Millis now, const std::vector<uint64_t>& sizes, WriteBatch* batch);
  // In order of time.
  std::vector<SizePoint> Of(size_t segment) const;

 private:
  std::vector<std::string> names_;  // names of the segments in the store: name, zero byte, hash of the definition
  mutable std::mutex mutex_;
  std::vector<std::vector<SizePoint>> points_;
};

}  // namespace attune
