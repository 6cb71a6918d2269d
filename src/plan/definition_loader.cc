// Metrics and segments, as drafts of their expressions.
#include "plan/loader.h"

namespace attune {

void PlanLoader::ReadMetrics(const PlanSource& source, const YAML::Node& node) {
  ForEach(source, node, "metrics", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    if (!ReadName(source, at, key, "metric", &metric_places_)) return;
    MetricDraft draft{{&source, value}, MetricDraft::State::kWaiting, source.At(at), nullptr};
    if (value.IsMap()) {
      draft.draft.text.reset(YAML::Node());
      ReadFields(source, value, "the metric " + key,
                 {{"value", [&](const YAML::Node& n) { draft.draft.text.reset(n); }}, {"description", [&](const YAML::Node&) {}}});
    }
    if (!draft.draft.text.IsScalar()) return Report(source, value, "expected an expression for the metric " + key + ", found " + NodeKind(value));
    metrics_.emplace(key, std::move(draft));
  });
}

void PlanLoader::ReadSegments(const PlanSource& source, const YAML::Node& node) {
  ForEach(source, node, "segments", [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) {
    if (!ReadName(source, at, key, "segment", &segment_places_)) return;
    SegmentDraft draft;
    draft.segment.name = key;
    draft.segment.location = source.At(at);
    draft.when.source = &source;
    if (value.IsScalar()) {
      draft.when.text.reset(value);
    } else {
      ReadFields(source, value, "the segment " + key,
                 {{"when", [&](const YAML::Node& n) { draft.when.text.reset(n); }},
                  {"description", [&](const YAML::Node& n) { ReadText(source, n, "text", &draft.segment.description); }}});
    }
    if (!draft.when.text.IsScalar()) {
      return Report(source, at, "the segment \"" + key + "\" has no \"when\"; expected {when: \"an expression\"}");
    }
    segments_.push_back(std::move(draft));
  });
}

}  // namespace attune
