// Benchmarks without a server: the engine, replay, memory.
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/hash.h"
#include "engine/engine.h"
#include "native/bench.h"

namespace attune {
namespace {

constexpr uint32_t kBenchUsers = 50'000;  // for engine and replay
constexpr Millis kBegin = 1'772'359'200'000;  // 2026-03-01T10:00:00Z

// The fields that a program reads of benchmark events.
class BenchFields {
 public:
  explicit BenchFields(const Program& program) : values_(program.fields.size()) {
    for (size_t i = 0; i < values_.size(); ++i) {
      const std::string& key = program.fields[i].keys.back();
      if (key == "price") price_ = &values_[i];
      if (key == "product_id") product_ = &values_[i];
    }
  }
  std::span<const Value> Of(const BenchLoad::Event& event, const std::string& product) {
    *price_ = Value::Number(event.price);
    *product_ = Value::String(product);
    return values_;
  }

 private:
  std::vector<Value> values_;
  Value none_;
  Value* price_ = &none_;
  Value* product_ = &none_;
};

// A condition of the wide plan, computed for one user directly from the user's events.
bool HoldsByHand(const std::vector<BenchLoad::Event>& events, uint32_t name, Millis window, double least, bool sum,
                 Millis t) {
  double total = 0;
  for (const BenchLoad::Event& event : events) {
    if (event.name == name && event.time > t - window) total += sum ? event.price : 1;
  }
  return sum ? total > least : total >= least;
}

}  // namespace

void BenchEngine(const BenchSizes& sizes, BenchReport* report) {
  const uint32_t user_count = sizes.users > 0 ? sizes.users : kBenchUsers;
  const uint32_t event_count = sizes.events > 0 ? sizes.events : 2'000'000;
  const auto program = Program::Compile(BenchPlan(WidePlanYaml()));
  std::vector<std::string> users, products;
  for (uint32_t u = 0; u < user_count; ++u) users.push_back(BenchUser(u));
  for (uint32_t p = 0; p < 200; ++p) products.push_back(fmt::format("P{:04}", p));
  BenchLoad load(1, user_count, kBegin, 200);
  std::vector<BenchLoad::Event> events(event_count);
  for (auto& event : events) event = load.Next();
  NameId names[8];
  for (size_t i = 0; i < 8; ++i) names[i] = program->NameOf(kBenchNames[i]);

  Engine engine(program);
  Effects effects;
  BenchFields fields(*program);
  uint64_t transitions = 0;
  uint64_t id = 0;
  const double began = ThreadSeconds();
  for (size_t i = 0; i < events.size(); ++i) {
    const auto& event = events[i];
    if (i + Engine::kExpect < events.size()) engine.Expect(users[events[i + Engine::kExpect].user]);
    Record record;
    record.user = users[event.user];
    record.id = ++id * 0x9E3779B97F4A7C15;
    record.event = kBenchNames[event.name];
    record.name = names[event.name];
    record.time = event.time;
    record.fields = fields.Of(event, products[event.product]);
    engine.Apply(record, &effects);
    transitions += effects.transitions.size();
    effects.transitions.clear();
  }
  const double seconds = ThreadSeconds() - began;
  report->Add({"engine_events_per_second_per_core", event_count / seconds, "events/s", ">= 500000"});
  report->Add({"engine_transitions_per_event", static_cast<double>(transitions) / event_count, "", ""});

  std::map<uint32_t, std::vector<BenchLoad::Event>> of_user;
  for (const auto& event : events) {
    if (event.user % 500 == 0) of_user[event.user].push_back(event);
  }
  for (const auto& [user, own] : of_user) {
    const UserState* state = engine.Find(BenchUser(user));
    const Millis t = own.back().time;
    const auto holds = [&](const char* segment) {
      const Segment* s = program->plan->FindSegment(segment);
      return state->Holds(program->condition_of_segment[static_cast<size_t>(s - program->plan->segments.data())]);
    };
    report->Check(holds("s005") == HoldsByHand(own, 0, kDay, 3, false, t), "count in engine, user " + BenchUser(user));
    report->Check(holds("s009") == HoldsByHand(own, 0, 30 * kDay, 3, false, t),
                  "count in engine, user " + BenchUser(user));
    report->Check(holds("s015") == HoldsByHand(own, 0, 3 * kDay, 600, true, t),
                  "sum in engine, user " + BenchUser(user));
  }
}

// Runs the command itself, in a separate process.
void BenchReplay(const BenchSizes& sizes, BenchReport* report) {
  const uint32_t user_count = sizes.users > 0 ? sizes.users : kBenchUsers;
  const uint32_t event_count = sizes.events > 0 ? sizes.events : 500'000;
  const std::string threads = std::to_string(sizes.threads);
  const BenchFolder folder;
  {
    std::ofstream plan(folder.path() + "/plan.yaml");
    plan << WidePlanYaml();
    std::ofstream out(folder.path() + "/events.ndjson");
    BenchLoad load(2, user_count, kBegin, 200);
    for (uint32_t i = 0; i < event_count; ++i) {
      const auto event = load.Next();
      out << BenchJson(event, fmt::format("r-{}", i), event.time) << '\n';
    }
  }
  // Resolved here, because valgrind redirects the link only for readlink, not for exec.
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto began = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    const std::string path = folder.path();
    const int out = open((path + "/stdout").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0 || dup2(out, STDOUT_FILENO) < 0) _exit(127);
    execl(self.c_str(), "attune", "replay", "--plan", (path + "/plan.yaml").c_str(), "--events",
          (path + "/events.ndjson").c_str(), "--out", (path + "/out").c_str(), "--threads", threads.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const double seconds = SecondsSince(began);
  report->Add({"replay_events_per_second", event_count / seconds, "events/s", ""});
  std::ifstream printed(folder.path() + "/stdout");
  std::string line;
  std::getline(printed, line);
  report->Check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "attune replay ends well");
  report->Check(line.starts_with(std::to_string(event_count) + " events"), "attune replay takes every event: " + line);
}

void BenchMemory(BenchReport* report) {
  constexpr uint32_t kUsers = 1'000'000;
  constexpr uint32_t kEvents = 10'000'000;
  malloc_trim(0);
  const uint64_t before = ResidentBytes();
  const auto program = Program::Compile(BenchPlan(ShopPlanYaml()));
  Engine engine(program);
  Effects effects;
  BenchFields fields(*program);
  BenchLoad load(3, kUsers, kBegin, 10);
  for (uint32_t i = 0; i < kEvents; ++i) {
    auto event = load.Next();
    event.user = static_cast<uint32_t>(i / (kEvents / kUsers));  // ten consecutive events for each user
    const std::string product = fmt::format("P{:04}", event.product);
    const std::string user = BenchUser(event.user);
    Record record;
    record.user = user;
    record.id = static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15;
    record.event = kBenchNames[event.name];
    record.name = program->NameOf(record.event);
    record.time = event.time;
    record.fields = fields.Of(event, product);
    engine.Apply(record, &effects);
    effects.transitions.clear();
  }
  malloc_trim(0);
  const double bytes = static_cast<double>(ResidentBytes() - before);
  report->Add({"memory_bytes_per_user", bytes / static_cast<double>(engine.user_count()), "bytes", "< 1000"});
  report->Add({"memory_counted_bytes_per_user",
               static_cast<double>(engine.MemoryBytes()) / static_cast<double>(engine.user_count()), "bytes", ""});
  report->Check(engine.user_count() == kUsers, "every user is there");
}

}  // namespace attune
