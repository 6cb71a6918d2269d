#include "shard/size_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// For points up to this age, the last point of each span is kept.
struct Tier {
  Millis age;
  Millis span;
};
constexpr Tier kTiers[] = {{3 * kHour, kMinute}, {7 * kDay, kHour}, {400 * kDay, kDay}};

const Tier* TierOf(Millis age) {
  const auto* tier = std::find_if(std::begin(kTiers), std::end(kTiers), [&](const Tier& t) { return age <= t.age; });
  return tier == std::end(kTiers) ? nullptr : tier;
}

// Instants of the server's clock are never negative, so their digits sort in their order.
std::string PointName(const std::string& segment, Millis at) {
  return fmt::format("{}{:016x}", segment, static_cast<uint64_t>(at));
}

}  // namespace

void ThinPoints(Millis now, std::vector<SizePoint>* points) {
  size_t kept = 0;
  for (size_t i = 0; i < points->size(); ++i) {
    const SizePoint point = (*points)[i];
    const Tier* tier = TierOf(now - point.at);
    if (!tier) continue;
    const bool last = i + 1 == points->size() || (*points)[i + 1].at / tier->span != point.at / tier->span;
    if (last) (*points)[kept++] = point;
  }
  points->resize(kept);
}

SizeHistory::SizeHistory(const Plan& plan) : points_(plan.segments.size()) {
  for (const Segment& segment : plan.segments) {
    names_.push_back(fmt::format("{}{}{:016x}", segment.name, '\0', Hash64(ToText(*segment.when))));
  }
}

Status SizeHistory::Restore(const Store& store) {
  TextMap<size_t> segments;
  for (size_t i = 0; i < names_.size(); ++i) segments.emplace(names_[i], i);
  const std::lock_guard hold(mutex_);
  return store.ForEach(keys::kSegmentSizes, [&](std::string_view name, std::string_view value) {
    constexpr size_t kDigits = 16;
    const auto found = segments.find(name.substr(0, name.size() - std::min(kDigits, name.size())));
    if (found == segments.end()) return true;  // of another plan
    const std::string_view digits = name.substr(name.size() - kDigits);
    SizePoint point{};
    std::from_chars(digits.data(), digits.data() + kDigits, point.at, 16);
    std::from_chars(value.data(), value.data() + value.size(), point.size);
    points_[found->second].push_back(point);
    return true;
  });
}

void SizeHistory::Sample(Millis now, const std::vector<uint64_t>& sizes, WriteBatch* batch) {
  const std::lock_guard hold(mutex_);
  for (size_t i = 0; i < points_.size(); ++i) {
    std::vector<SizePoint>& points = points_[i];
    if (!points.empty() && points.back().size == sizes[i]) continue;
    std::vector<SizePoint> before = points;
    // If the clock was set back, the instants stay the same here.
    const Millis at = points.empty() ? now : std::max(now, points.back().at);
    points.push_back({at, sizes[i]});
    ThinPoints(at, &points);
    for (const SizePoint& point : before) {
      const bool kept = std::binary_search(points.begin(), points.end(), point,
                                           [](const auto& a, const auto& b) { return a.at < b.at; });
      if (!kept) batch->Delete(keys::kSegmentSizes, PointName(names_[i], point.at));
    }
    batch->Put(keys::kSegmentSizes, PointName(names_[i], at), std::to_string(sizes[i]));
  }
}

std::vector<SizePoint> SizeHistory::Of(size_t segment) const {
  const std::lock_guard hold(mutex_);
  return points_[segment];
}

}  // namespace attune
