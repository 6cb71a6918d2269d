// The benchmarks, listed in one table in bench.cc. Each measures real work and verifies its results.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/record.h"
#include "plan/plan.h"

namespace attune {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
  std::string target;  // the target in docs/benchmarks.md; empty: none
};

// Receives a benchmark's results. A failed check fails the whole run.
class BenchReport {
 public:
  explicit BenchReport(bool json) : json_(json) {}
  void Add(const Figure& figure);
  void Check(bool right, const std::string& what);
  bool ok() const { return ok_; }

 private:
  bool json_;
  bool ok_ = true;
};

// The sizes of the benchmarks `engine` and `replay`; 0: the size of the figures in docs/benchmarks.md.
struct BenchSizes {
  uint32_t events = 0;
  uint32_t users = 0;
  int threads = 0;  // applier threads of `replay`; 0: one per core
};

void BenchEngine(const BenchSizes& sizes, BenchReport* report);
void BenchWindows(BenchReport* report);
void BenchPartials(BenchReport* report);
void BenchReplay(const BenchSizes& sizes, BenchReport* report);
void BenchHttp(BenchReport* report);
void BenchOutbox(BenchReport* report);
void BenchLatency(BenchReport* report);
void BenchHotUser(BenchReport* report);
void BenchTimers(BenchReport* report);
void BenchMemory(BenchReport* report);
void BenchRecovery(BenchReport* report);
void BenchStartup(BenchReport* report);

// --- the shared load ---

// 200 conditions over eight event names, 25 for each: counts, sums, absences, distinct values.
std::string WidePlanYaml();
// 20 definitions such as a shop might have.
std::string ShopPlanYaml();
std::shared_ptr<const Plan> BenchPlan(const std::string& yaml);

// A stream of events determined by a seed: the same in every run. At any time kVisitors users are active; each stays
// for about 20 events and is then replaced by another user.
class BenchLoad {
 public:
  static constexpr uint32_t kVisitors = 4096;

  BenchLoad(uint64_t seed, uint32_t users, Millis begin, Millis step_ms);

  struct Event {
    uint32_t user;
    uint32_t name;  // index of kBenchNames
    uint32_t product;
    double price;
    Millis time;
  };
  Event Next();

 private:
  uint64_t Random();

  uint64_t state_;
  uint32_t users_;
  std::vector<uint32_t> visitors_;
  Millis now_;
  Millis step_ms_;
};

inline constexpr const char* kBenchNames[] = {"page_viewed",      "product_viewed",   "search",   "add_to_cart",
                                              "remove_from_cart", "checkout_started", "purchase", "review"};
std::string BenchUser(uint32_t user);  // `user-0000042`
// A track event as the Segment libraries send it, about 330 bytes. `at`: kNever omits the time.
std::string BenchJson(const BenchLoad::Event& event, std::string_view message_id, Millis at);

// A folder that is removed with this object.
class BenchFolder {
 public:
  BenchFolder();
  ~BenchFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Resident memory of this process, in bytes.
uint64_t ResidentBytes();
double SecondsSince(std::chrono::steady_clock::time_point began);
// Processor time of this thread: the basis of figures "per core", independent of other load on the machine.
double ThreadSeconds();
// The value below which this share of the values lies. Sorts `values`, which must not be empty.
double Quantile(std::vector<double>* values, double share);

}  // namespace attune
