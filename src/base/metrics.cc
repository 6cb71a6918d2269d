#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace attune {
namespace {

// The text format escapes these characters in the value of a label.
std::string EscapedLabel(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

Metrics::ReadFamily Single(Metrics::Read read) {
  return [read = std::move(read)](const Metrics::Add& add) { add("", read()); };
}

}  // namespace

void Metrics::Counter(std::string name, std::string help, Read read) {
  AddMetric({std::move(name), std::move(help), "counter", "", Single(std::move(read))});
}

void Metrics::Gauge(std::string name, std::string help, Read read) {
  AddMetric({std::move(name), std::move(help), "gauge", "", Single(std::move(read))});
}

void Metrics::CounterFamily(std::string name, std::string help, std::string label, ReadFamily read) {
  AddMetric({std::move(name), std::move(help), "counter", std::move(label), std::move(read)});
}

void Metrics::GaugeFamily(std::string name, std::string help, std::string label, ReadFamily read) {
  AddMetric({std::move(name), std::move(help), "gauge", std::move(label), std::move(read)});
}

void Metrics::AddMetric(Metric metric) {
  const bool taken =
      std::any_of(metrics_.begin(), metrics_.end(), [&](const Metric& other) { return other.name == metric.name; });
  ATTUNE_CHECK(!taken, "Prometheus refuses a page that has a metric twice");
  metrics_.push_back(std::move(metric));
}

void Metrics::AppendMetric(const Metric& metric, std::string* text) {
  *text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", metric.name, metric.help, metric.type);
  metric.read([&](std::string_view label, uint64_t value) {
    *text += metric.name;
    if (!metric.label.empty()) *text += fmt::format("{{{}=\"{}\"}}", metric.label, EscapedLabel(label));
    *text += fmt::format(" {}\n", value);
  });
}

std::string Metrics::Text() const {
  std::string text;
  for (const bool families : {false, true}) {
    for (const Metric& metric : metrics_) {
      if (metric.label.empty() != families) AppendMetric(metric, &text);
    }
  }
  return text;
}

}  // namespace attune
