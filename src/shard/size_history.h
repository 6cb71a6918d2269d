// How many users held each segment as time went by: samples of the sizes, thinned as they grow old, and kept in the
// store so that a restart goes on where it was.
//
// A point says how large the segment was at an instant of the server's clock; it is taken when the size is not what the
// point before it says. Of each minute the last point is kept for 3 hours, of each hour for 7 days, of each day (UTC)
// for 400 days: at most 750 points, however long the server runs. What came and went between two points is not told.
// The history belongs to the segment's name and definition: another definition begins its own.
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

// Drops the points that are not to be kept at `now`. They stand in order of time. For tests too.
void ThinPoints(Millis now, std::vector<SizePoint>* points);

// Any thread.
class SizeHistory {
 public:
  // Segments go by their place in the plan.
  explicit SizeHistory(const Plan& plan);

  // Takes what the store holds of these segments.
  Status Restore(const Store& store);
  // Takes a point of each segment whose size has changed; `batch` gets what the store needs to follow.
  void Sample(Millis now, const std::vector<uint64_t>& sizes, WriteBatch* batch);
  // In order of time.
  std::vector<SizePoint> Of(size_t segment) const;

 private:
  std::vector<std::string> names_;  // of the segments in the store: name, zero byte, hash of the definition
  mutable std::mutex mutex_;
  std::vector<std::vector<SizePoint>> points_;
};

}  // namespace attune
