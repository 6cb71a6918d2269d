#include "plan/excerpt.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

bool ReadsSegment(Kind kind) {
  return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
}

// The metrics and segments that expressions depend on, each once even when they are circular.
class Needs {
 public:
  explicit Needs(const Plan& plan) : plan_(plan) {}

  void Add(const Expression& expression) {
    ForEach(expression, [this](const Expression& e) {
      if (e.kind == Kind::kMetric && metrics.insert(e.text).second) Add(*plan_.FindMetric(e.text)->value);
      if (ReadsSegment(e.kind) && segments.insert(e.text).second) Add(*plan_.FindSegment(e.text)->when);
    });
  }

  std::set<std::string> metrics;
  std::set<std::string> segments;

 private:
  const Plan& plan_;
};

}  // namespace

std::shared_ptr<const Plan> Excerpt(const Plan& plan, std::vector<Metric> asked) {
  Needs needs(plan);
  for (const Metric& metric : asked) {
    ATTUNE_CHECK(!plan.FindMetric(metric.name), "the plan has no metric with this name");
    needs.Add(*metric.value);
  }
  auto excerpt = std::make_shared<Plan>();
  excerpt->files = plan.files;
  excerpt->timezone = plan.timezone;
  excerpt->session_gap = plan.session_gap;
  excerpt->session_max = plan.session_max;
  excerpt->limit_events = plan.limit_events;
  excerpt->limit_catch_up = plan.limit_catch_up;
  excerpt->oldest_event = plan.oldest_event;
  excerpt->dedupe = plan.dedupe;
  excerpt->refuse_unknown_events = plan.refuse_unknown_events;
  excerpt->events = plan.events;
  excerpt->fingerprint = plan.fingerprint;
  excerpt->text_fingerprint = plan.text_fingerprint;
  excerpt->metrics = std::move(asked);
  for (const std::string& name : needs.metrics) {
    const Metric* metric = plan.FindMetric(name);
    excerpt->metrics.push_back({name, Clone(*metric->value), metric->location});
  }
  std::sort(excerpt->metrics.begin(), excerpt->metrics.end(), [](const Metric& a, const Metric& b) { return a.name < b.name; });
  for (const std::string& name : needs.segments) {
    const Segment* segment = plan.FindSegment(name);
    excerpt->segments.push_back({name, segment->description, Clone(*segment->when), segment->location});
  }
  return excerpt;
}

bool RestsOnSegment(const Expression& expression, const Plan& plan, const std::string& segment) {
  Needs needs(plan);
  needs.Add(expression);
  return needs.segments.contains(segment);
}

}  // namespace attune
