#include "base/metrics.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Metrics, PrintsSingleMetricsThenFamiliesInTheOrderOfAdding) {
  uint64_t open = 3;
  Metrics metrics;
  metrics.CounterFamily("refused_total", "Refused, by code", "code", [](const Metrics::Add& add) {
    add("too_large", 1);
    add("a\"b\\c\nd", 0);
  });
  metrics.Gauge("open", "Open now", [&] { return open; });
  metrics.GaugeFamily("empty", "Nothing yet", "name", [](const Metrics::Add&) {});
  metrics.Counter("sent_total", "Sent", [] { return UINT64_MAX; });
  open = 4;
  EXPECT_EQ(metrics.Text(),
            "# HELP open Open now\n# TYPE open gauge\nopen 4\n"
            "# HELP sent_total Sent\n# TYPE sent_total counter\nsent_total 18446744073709551615\n"
            "# HELP refused_total Refused, by code\n# TYPE refused_total counter\n"
            "refused_total{code=\"too_large\"} 1\nrefused_total{code=\"a\\\"b\\\\c\\nd\"} 0\n"
            "# HELP empty Nothing yet\n# TYPE empty gauge\n");
}

TEST(MetricsDeathTest, RefusesASecondMetricOfTheSameName) {
  Metrics metrics;
  metrics.Gauge("open", "Open now", [] { return 1; });
  EXPECT_DEATH(metrics.Counter("open", "Opened", [] { return 1; }), "a metric twice");
}

}  // namespace
}  // namespace attune
