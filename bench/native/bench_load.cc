#include <fmt/format.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "native/bench.h"

namespace attune {

std::string WidePlanYaml() {
  static constexpr const char* kWindows[] = {"1m", "10m", "30m", "1h", "6h", "1d", "3d", "7d", "14d", "30d"};
  std::string yaml = "segments:\n";
  int number = 0;
  const auto add = [&](const std::string& when) { yaml += fmt::format("  s{:03}: {{when: '{}'}}\n", number++, when); };
  for (const char* name : kBenchNames) {
    for (int i = 0; i < 10; ++i) add(fmt::format("count({}[{}]) >= {}", name, kWindows[i], 2 + i % 4));
    for (int i = 0; i < 8; ++i) add(fmt::format("sum({}.price[{}]) > {}", name, kWindows[i + 1], 100 * (i + 1)));
    for (int i = 0; i < 3; ++i) add(fmt::format("count({}[session]) >= {}", name, 3 + i));
    add(fmt::format("distinct({}.product_id[1d]) >= 4", name));
    add(fmt::format("avg({}.price[7d]) > 60", name));
    add(fmt::format("{} then no {} for 30m", name, name));
    add(fmt::format("last({}.price[1h]) > 90", name));
  }
  return yaml;
}

std::string ShopPlanYaml() {
  return R"yaml(
segments:
  high_engagement: {when: "count(page_viewed[session]) > 5"}
  high_intent_shopper: {when: "count(add_to_cart[10m]) >= 5"}
  cart_abandoner: {when: "add_to_cart then no purchase for 30m"}
  searcher: {when: "count(search[1h]) >= 3"}
  buyer: {when: "count(purchase) >= 1"}
  loyal: {when: "count(purchase[30d]) >= 3"}
  big_spender: {when: "sum(purchase.price[30d]) > 500"}
  lapsed: {when: "since(any) > 14d"}
  new_user: {when: "age(any) < 1d"}
  returning: {when: "sessions([30d]) >= 2"}
  reviewer: {when: "count(review[ever]) >= 1"}
  premium: {when: "max(product_viewed.price[7d]) > 90"}
  browsing: {when: "count(any[5m]) >= 1"}
  undecided: {when: "count(product_viewed[1d]) >= 10 and count(add_to_cart[1d]) = 0"}
  remover: {when: "count(remove_from_cart[1d]) >= 2"}
metrics:
  pages_this_session: count(page_viewed[session])
  spent_30d: sum(purchase.price[30d])
  last_product: last(product_viewed.product_id[ever])
  first_seen: first_time(any[ever])
  carts_7d: count(add_to_cart[7d])
)yaml";
}

std::shared_ptr<const Plan> BenchPlan(const std::string& yaml) {
  LoadedPlan loaded = ParsePlan(yaml, "bench.yaml");
  ATTUNE_CHECK(loaded.plan != nullptr, "the benchmarks' own plans are right");
  return std::move(loaded.plan);
}

// SplitMix64 (Steele, Lea and Flood 2014).
uint64_t BenchLoad::Random() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

BenchLoad::BenchLoad(uint64_t seed, uint32_t users, Millis begin, Millis step_ms)
    : state_(seed), users_(users), now_(begin), step_ms_(step_ms) {
  for (uint32_t i = 0; i < kVisitors; ++i) visitors_.push_back(static_cast<uint32_t>(Random() % users_));
}

BenchLoad::Event BenchLoad::Next() {
  const uint64_t r = Random();
  now_ += static_cast<Millis>(r % static_cast<uint64_t>(2 * step_ms_ + 1));
  Event event;
  uint32_t& visitor = visitors_[(r >> 20) % kVisitors];
  if (Random() % 20 == 0) visitor = static_cast<uint32_t>(Random() % users_);
  event.user = visitor;
  event.name = static_cast<uint32_t>(r >> 40) % 8;
  event.product = static_cast<uint32_t>(r >> 44) % 200;
  event.price = static_cast<double>((r >> 50) % 10'000) / 100;
  event.time = now_;
  return event;
}

std::string BenchUser(uint32_t user) { return fmt::format("user-{:07}", user); }

std::string BenchJson(const BenchLoad::Event& event, std::string_view message_id, Millis at) {
  const std::string time = at == kNever ? "" : "\"timestamp\":\"" + FormatRfc3339(at) + "\",";
  return fmt::format(
      R"({{"type":"track","event":"{}","userId":"{}","messageId":"{}",{}"properties":{{"product_id":"P{:04}","price":{:.2f},"quantity":1,"currency":"EUR","category":"shoes"}},"context":{{"page":{{"path":"/products/{}","referrer":"https://example.com/"}},"library":{{"name":"bench","version":"1"}}}}}})",
      kBenchNames[event.name], BenchUser(event.user), message_id, time, event.product, event.price, event.product);
}

BenchFolder::BenchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "attune-bench-XXXXXX").string();
  ATTUNE_CHECK(mkdtemp(name.data()) != nullptr, "benchmarks need a folder to write to");
  path_ = name;
}

BenchFolder::~BenchFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

uint64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double Quantile(std::vector<double>* values, double share) {
  ATTUNE_CHECK(!values->empty(), "callers have measured something");
  std::sort(values->begin(), values->end());
  return (*values)[std::min(values->size() - 1, static_cast<size_t>(share * static_cast<double>(values->size())))];
}

double SecondsSince(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace attune
