// The registry of metrics: each module adds what it counts, and GET /metrics prints all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// Metrics are added before the first Text(); then any thread may call Text().
class Metrics {
 public:
  // Returns the present value. Any thread; what it reads must outlive the registry's last Text().
  using Read = std::function<uint64_t()>;
  // Calls `add` with each value of the label.
  using Add = std::function<void(std::string_view label, uint64_t value)>;
  using ReadFamily = std::function<void(const Add& add)>;

  // `name` is the name that Prometheus sees, and no two metrics have the same. `help` is one line.
  void Counter(std::string name, std::string help, Read read);
  void Gauge(std::string name, std::string help, Read read);
  // A metric with one value for each value of `label`.
  void CounterFamily(std::string name, std::string help, std::string label, ReadFamily read);
  void GaugeFamily(std::string name, std::string help, std::string label, ReadFamily read);

  // Prometheus' text format 0.0.4: single metrics first, then families, each in the order in which they were added.
  std::string Text() const;

 private:
  struct Metric {
    std::string name;
    std::string help;
    const char* type;
    std::string label;  // empty: a single metric
    ReadFamily read;    // a single metric has one value, without a label
  };

  void AddMetric(Metric metric);
  static void AppendMetric(const Metric& metric, std::string* text);

  std::vector<Metric> metrics_;
};

}  // namespace attune
