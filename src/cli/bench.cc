#include "native/bench.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace attune {
namespace {

struct BenchSettings {
  std::vector<std::string> names;
  bool json = false;
  bool list = false;
  BenchSizes sizes;
} bench_settings;

struct Benchmark {
  const char* name;
  const char* help;
  void (*run)(BenchReport*);
};

constexpr Benchmark kBenchmarks[] = {
    {"startup", "the process on an empty folder, until it says it is ready", BenchStartup},
    {"engine", "events/s of the engine alone, 200 conditions, 25 listening to each event",
     [](BenchReport* report) { BenchEngine(bench_settings.sizes, report); }},
    {"windows", "cost of an event with windows of a minute to 30 days, conditions changing all the time", BenchWindows},
    {"partials", "cost of an event with 1 to 10,000 sequences of its user begun and not ended", BenchPartials},
    {"replay", "events/s of attune replay, NDJSON to memberships",
     [](BenchReport* report) { BenchReplay(bench_settings.sizes, report); }},
    {"http", "events/s over HTTP in batches, durable, conditions on", BenchHttp},
    {"outbox", "the same with 200 conditions, with an outbox and without one", BenchOutbox},
    {"latency", "accepted to visible, at half of the load that http reaches", BenchLatency},
    {"hot_user", "accepted to visible for others, while a million events of one user come in", BenchHotUser},
    {"timers", "how late exits and absences are seen, with a million timers armed", BenchTimers},
    {"memory", "bytes per user, a million users, 20 definitions", BenchMemory},
    {"recovery", "a million users from snapshots", BenchRecovery},
};

}  // namespace

void BenchReport::Add(const Figure& figure) {
  if (json_) {
    fmt::print("{{\"name\":\"{}\",\"value\":{},\"unit\":\"{}\",\"peer\":null,\"peer_value\":null}}\n", figure.name,
               figure.value, figure.unit);
  } else {
    fmt::print("  {:<38} {:>14.6g} {:<10} {}\n", figure.name, figure.value, figure.unit,
               figure.target.empty() ? "" : "(to reach: " + figure.target + ")");
  }
  std::fflush(stdout);
}

void BenchReport::Check(bool right, const std::string& what) {
  if (right) return;
  ok_ = false;
  fmt::print(stderr, "  WRONG: {}\n", what);
}

void BenchOptions(CLI::App* app) {
  app->add_option("name", bench_settings.names, "which benchmarks (default: all)");
  app->add_flag("--json", bench_settings.json, "a line of JSON for each figure");
  app->add_flag("--list", bench_settings.list, "say what there is, and run nothing");
  app->add_option("--events", bench_settings.sizes.events, "events of engine and replay (default: 2000000 and 500000)")
      ->check(CLI::PositiveNumber);
  app->add_option("--users", bench_settings.sizes.users, "users of engine and replay (default: 50000)")
      ->check(CLI::PositiveNumber);
  app->add_option("--threads", bench_settings.sizes.threads,
                  "threads of replay that apply events (default: one for each core)")
      ->check(CLI::PositiveNumber);
}

int RunBench() {
  if (bench_settings.list) {
    for (const Benchmark& b : kBenchmarks) fmt::print("{:<10} {}\n", b.name, b.help);
    return kExitDone;
  }
  for (const std::string& name : bench_settings.names) {
    if (std::none_of(std::begin(kBenchmarks), std::end(kBenchmarks),
                     [&](const Benchmark& b) { return name == b.name; })) {
      return Complain("there is no benchmark \"" + name + "\"; `attune bench --list` names them", kExitInvalid);
    }
  }
  BenchReport report(bench_settings.json);
  for (const Benchmark& b : kBenchmarks) {
    if (!bench_settings.names.empty() &&
        std::find(bench_settings.names.begin(), bench_settings.names.end(), b.name) == bench_settings.names.end()) {
      continue;
    }
    if (!bench_settings.json) fmt::print("{}: {}\n", b.name, b.help);
    b.run(&report);
    malloc_trim(0);
  }
  return report.ok() ? kExitDone : kExitFailed;
}

}  // namespace attune
