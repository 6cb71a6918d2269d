// Benchmarks of costs that must stay flat: the length of windows, and the number of partial sequences. They measure the
// processor time of the engine alone. The cases run in turn, several times, and the least time counts, so that other
// load on the machine matters little.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "engine/engine.h"
#include "engine/output.h"
#include "native/bench.h"

namespace attune {
namespace {

constexpr Millis kFlatBegin = 1'772'359'200'000;  // 2026-03-01T10:00:00Z
constexpr int kRounds = 3;

// The number of a metric as JSON shows it; NaN when it is null.
double MetricOf(const std::string& metrics, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const size_t at = metrics.find(key);
  return at == std::string::npos ? std::numeric_limits<double>::quiet_NaN()
                                 : std::strtod(metrics.c_str() + at + key.size(), nullptr);
}

// Feeds an engine events with the properties `price`, `product_id` and `cart_id`.
class Feed {
 public:
  explicit Feed(const std::string& yaml)
      : program_(Program::Compile(BenchPlan(yaml))), engine_(program_), fields_(program_->fields.size()) {
    for (size_t i = 0; i < fields_.size(); ++i) {
      const std::string& key = program_->fields[i].keys.back();
      if (key == "price") price_ = &fields_[i];
      if (key == "product_id" || key == "cart_id") key_ = &fields_[i];
    }
  }

  void Apply(std::string_view user, std::string_view event, Millis time, double price, std::string_view key) {
    *price_ = Value::Number(price);
    *key_ = Value::String(key);
    Record record;
    record.user = user;
    record.id = ++id_ * 0x9E3779B97F4A7C15;
    record.event = event;
    record.name = program_->NameOf(event);
    record.time = time;
    record.fields = fields_;
    engine_.Apply(record, &effects_);
    transitions_ += effects_.transitions.size();
    effects_.transitions.clear();
  }
  uint64_t transitions() const { return transitions_; }
  double Metric(std::string_view user, const std::string& name, Millis t) {
    std::vector<std::string> incomplete;
    return MetricOf(MetricsJson(*engine_.Find(user), t, &engine_, &incomplete), name);
  }
  bool Holds(std::string_view user, const std::string& segment) {
    const Segment* s = program_->plan->FindSegment(segment);
    return engine_.Find(user)->Holds(
        program_->condition_of_segment[static_cast<size_t>(s - program_->plan->segments.data())]);
  }

 private:
  std::shared_ptr<const Program> program_;
  Engine engine_;
  Effects effects_;
  std::vector<Value> fields_;
  Value none_;
  Value* price_ = &none_;
  Value* key_ = &none_;
  uint64_t id_ = 0;
  uint64_t transitions_ = 0;
};

// The least nanoseconds of several rounds for each case. Adds them and their ratio to the report.
void CompareCases(BenchReport* report, const std::string& name, const std::vector<std::string>& cases,
                  const std::function<double(size_t)>& nanoseconds) {
  std::vector<double> least(cases.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < cases.size(); ++i) least[i] = std::min(least[i], nanoseconds(i));
  }
  for (size_t i = 0; i < cases.size(); ++i) report->Add({name + "_" + cases[i], least[i], "ns/event", ""});
  const auto [low, high] = std::minmax_element(least.begin(), least.end());
  report->Add({name + "_dearest_to_cheapest", *high / *low, "", "<= 1.1"});
}

// --- windows ---

constexpr Millis kSpacing = 311 * kSecond;  // divides no window, so expiries fall between arrivals
constexpr int kWindowUsers = 2;
constexpr int kWindowEvents = 2 * static_cast<int>(30 * kDay / kSpacing) + 4;  // per user
constexpr int kWindowMeasured = kWindowEvents / 2;                             // measured from this event on

struct WindowKind {
  const char* name;
  const char* value;  // `{}` is the window
  int conditions;     // with windows of W, W + 1 s, W + 2 s …
  double bound;       // 0: a bound that each event reaches, and that fails when the oldest event expires
};
// A bound that depends on the whole window is the hardest case. distinct(…) is compared with a small one too, as in
// plans.
constexpr WindowKind kWindowKinds[] = {{"count", "count(purchase[{}ms])", 8, 0},
                                       {"sum", "sum(purchase.price[{}ms])", 8, 0},
                                       {"distinct", "distinct(purchase.product_id[{}ms])", 8, 5},
                                       {"avg", "avg(purchase.price[{}ms])", 8, 1000},
                                       {"max", "max(purchase.price[{}ms])", 1, 1000},
                                       {"distinct_of_all", "distinct(purchase.product_id[{}ms])", 1, 0}};

double WindowPrice(int event) { return static_cast<double>(static_cast<uint32_t>(event) * 2654435761U % 97); }

struct WindowCase {
  const WindowKind* kind;
  Millis window;
};

std::string WindowPlanYaml(const WindowCase& c) {
  std::string yaml =
      fmt::format("metrics:\n  value: {}\nsegments:\n", fmt::format(fmt::runtime(c.kind->value), c.window));
  for (int i = 0; i < c.kind->conditions; ++i) {
    const Millis window = c.window + i * kSecond;
    const double unit = std::string(c.kind->name) == "sum" ? 10 : 1;
    const double bound = c.kind->bound > 0 ? c.kind->bound : unit * static_cast<double>(window / kSpacing + 1);
    yaml += fmt::format("  s{}: {{when: '{} >= {}'}}\n", i, fmt::format(fmt::runtime(c.kind->value), window), bound);
  }
  return yaml;
}

// The expected metric: events of one user are kSpacing apart, and the latest is at t.
double WindowByHand(const WindowCase& c) {
  const int in = static_cast<int>((c.window - 1) / kSpacing) + 1;
  const std::string kind = c.kind->name;
  if (kind == "sum") return 10 * in;
  if (kind != "avg" && kind != "max") return in;
  double sum = 0, most = 0;
  for (int i = kWindowEvents - in; i < kWindowEvents; ++i) sum += WindowPrice(i), most = std::max(most, WindowPrice(i));
  return kind == "avg" ? sum / in : most;
}

double MeasureWindow(BenchReport* report, const WindowCase& c, const std::vector<std::string>& products) {
  Feed feed(WindowPlanYaml(c));
  std::vector<std::string> users;
  for (int u = 0; u < kWindowUsers; ++u) users.push_back(BenchUser(static_cast<uint32_t>(u)));
  const bool same_price = std::string(c.kind->name) == "sum";
  double began = 0;
  uint64_t before = 0;
  for (int i = 0; i < kWindowEvents; ++i) {
    if (i == kWindowMeasured) began = ThreadSeconds(), before = feed.transitions();
    for (int u = 0; u < kWindowUsers; ++u) {
      feed.Apply(users[static_cast<size_t>(u)], "purchase", kFlatBegin + i * kSpacing + u * kSecond,
                 same_price ? 10 : WindowPrice(i), products[static_cast<size_t>(i)]);
    }
  }
  const double seconds = ThreadSeconds() - began;
  const uint64_t events = kWindowUsers * (kWindowEvents - kWindowMeasured);
  const uint64_t wanted = c.kind->bound > 0 ? 0 : 2 * static_cast<uint64_t>(c.kind->conditions) * events;
  const std::string name = fmt::format("{} of {}", c.kind->name, c.window);
  report->Check(feed.transitions() - before == wanted,
                fmt::format("{}: {} changes, not {}", name, feed.transitions() - before, wanted));
  const Millis last = kFlatBegin + (kWindowEvents - 1) * kSpacing;
  const double value = feed.Metric(users[0], "value", last);
  report->Check(value == WindowByHand(c), fmt::format("{} is {}, not {}", name, value, WindowByHand(c)));
  return seconds / static_cast<double>(events) * 1e9;
}

// --- partial sequences ---

constexpr Millis kCartEvery = kMinute;
constexpr int kMeasuredCarts = 20'000;

std::string PartialsPlanYaml(const std::string& when) {
  return "limits: {events: 50000}\nsegments:\n  s: {when: '" + when + "'}\n";
}

// Cart n is filled at minute n and makes its next step half of the open carts later, so that their number stays
// constant.
double MeasurePartials(BenchReport* report, int open, bool absence, const std::vector<std::string>& carts) {
  const Millis window = open * kCartEvery + kCartEvery / 2;
  Feed feed(PartialsPlanYaml(
      absence ? fmt::format("some(cart_id: add_to_cart then no purchase for {}ms)", window)
              : fmt::format("sequence(add_to_cart -> checkout_started -> purchase by cart_id)[{}ms]", window)));
  const char* next = absence ? "purchase" : "checkout_started";
  const int total = open + kMeasuredCarts;
  double began = 0;
  for (int i = 0; i < total; ++i) {
    if (i == open) began = ThreadSeconds();
    const Millis t = kFlatBegin + i * kCartEvery;
    feed.Apply("ann", "add_to_cart", t, 1, carts[static_cast<size_t>(i)]);
    const int then = i - open / 2;
    if (then >= 0) feed.Apply("ann", next, t + kCartEvery / 4, 1, carts[static_cast<size_t>(then)]);
  }
  const double seconds = ThreadSeconds() - began;
  const std::string name = fmt::format("{} of {}", absence ? "absences" : "sequences", open);
  report->Check(feed.transitions() == 0, name + ": none comes to its end");
  const Millis end = kFlatBegin + (total - 1) * kCartEvery;
  if (absence) {
    feed.Apply("ann", "search", end + window, 1, "none");
    report->Check(feed.Holds("ann", "s") == (open > 1), name + ": a cart is left whose purchase has not come");
  } else {
    // The oldest cart in the window is completed in time; the one before it began too early.
    const int oldest = total - 1 - open;
    if (oldest > 0) feed.Apply("ann", "purchase", end + kCartEvery / 3, 1, carts[static_cast<size_t>(oldest - 1)]);
    report->Check(!feed.Holds("ann", "s"), name + ": a cart from before the window does not count");
    feed.Apply("ann", "purchase", end + kCartEvery / 3, 1, carts[static_cast<size_t>(oldest)]);
    report->Check(feed.Holds("ann", "s"), name + ": the oldest cart in the window counts");
  }
  return seconds / (2.0 * kMeasuredCarts) * 1e9;
}

}  // namespace

void BenchWindows(BenchReport* report) {
  const std::vector<std::string> cases = {"1m", "1h", "1d", "7d", "30d"};
  constexpr Millis kWindows[] = {kMinute, kHour, kDay, 7 * kDay, 30 * kDay};
  std::vector<std::string> products;
  for (int i = 0; i < kWindowEvents; ++i) products.push_back(fmt::format("P{:05}", i));
  for (const WindowKind& kind : kWindowKinds) {
    CompareCases(report, fmt::format("windows_{}", kind.name), cases, [&](size_t i) {
      return MeasureWindow(report, {&kind, kWindows[i]}, products);
    });
  }
}

void BenchPartials(BenchReport* report) {
  const std::vector<std::string> cases = {"1", "10", "100", "1000", "10000"};
  constexpr int kOpen[] = {1, 10, 100, 1000, 10'000};
  std::vector<std::string> carts;
  for (int i = 0; i < kOpen[4] + kMeasuredCarts; ++i) carts.push_back(fmt::format("C{:05}", i));
  for (const bool absence : {false, true}) {
    CompareCases(report, absence ? "partials_absence" : "partials_sequence", cases,
                 [&](size_t i) { return MeasurePartials(report, kOpen[i], absence, carts); });
  }
}

}  // namespace attune
