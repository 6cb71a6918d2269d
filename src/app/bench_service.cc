// Benchmarks of the whole: a real server on loopback, real clients, a real disk.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "app/bench.h"
#include "app/service.h"
#include "http/client.h"

namespace attune {
namespace {

constexpr uint32_t kUsers = 1'000'000;
constexpr size_t kBatchEvents = 100;

ClientHeaders Headers(const char* key) {
  return {{"Authorization", std::string("Bearer ") + key}, {"Content-Type", "application/json"}};
}

// A batch whose message ids are made new in place for each sending: building JSON is not what is measured.
class Batch {
 public:
  Batch(BenchLoad* load, int number) {
    body_ = "{\"batch\":[";
    for (size_t i = 0; i < kBatchEvents; ++i) {
      if (i > 0) body_ += ',';
      const std::string event = BenchJson(load->Next(), fmt::format("b-00000000-{:05}-{:03}", number, i), kNever);
      round_at_.push_back(body_.size() + event.find("b-00000000") + 2);
      body_ += event;
    }
    body_ += "]}";
  }
  const std::string& Take() {
    const std::string round = fmt::format("{:08}", ++round_);
    for (const size_t at : round_at_) body_.replace(at, 8, round);
    return body_;
  }

 private:
  std::string body_;
  std::vector<size_t> round_at_;
  int round_ = 0;
};

std::vector<Batch> MakeBatches(uint64_t seed, int count) {
  BenchLoad load(seed, kUsers, 0, 1);
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) batches.emplace_back(&load, i);
  return batches;
}

Result<std::unique_ptr<Service>> StartService(const std::string& data, const std::string& yaml) {
  ServiceOptions options;
  options.data = data;
  options.port = 0;
  options.write_key = "bench-write";
  options.api_key = "bench-api";
  return Service::Start(BenchPlan(yaml), std::move(options));
}

// Sends batches for a while. `per_second` > 0: at that rate of events, however slow the answers are.
struct Sent {
  uint64_t accepted = 0;
  uint64_t put_off = 0;  // batches answered 429 and sent again, as clients do
  uint64_t failed = 0;
};
Sent SendFor(uint16_t port, double seconds, double per_second, std::vector<Batch>* batches) {
  Sent sent;
  auto client = Client::Connect("127.0.0.1", port);
  if (!client.ok()) return {.failed = 1};
  const auto headers = Headers("bench-write");
  const std::string expected = fmt::format("\"accepted\":{},", kBatchEvents);
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; SecondsSince(began) < seconds; ++i) {
    if (per_second > 0) {
      const auto due = began + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::duration<double>(static_cast<double>(i * kBatchEvents) / per_second));
      std::this_thread::sleep_until(due);
    }
    const auto answer = client->Call("POST", "/v1/batch", headers, (*batches)[i % batches->size()].Take());
    if (answer.ok() && answer->status == 200 && answer->body.find(expected) != std::string::npos) {
      sent.accepted += kBatchEvents;
    } else if (answer.ok() && answer->status == 429) {
      ++sent.put_off;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } else {
      ++sent.failed;
      if (!answer.ok()) return sent;
    }
  }
  return sent;
}

constexpr int kSenders = 8;  // enough in flight that a sync serves several
constexpr double kSendSeconds = 6;

void MeasureHttp(BenchReport* report, const std::string& name, const std::string& yaml, const std::string& target) {
  const BenchFolder folder;
  auto service = StartService(folder.path(), yaml);
  if (!service.ok()) return report->Check(false, service.error().message);
  std::vector<std::vector<Batch>> batches;
  for (int i = 0; i < kSenders; ++i) batches.push_back(MakeBatches(static_cast<uint64_t>(100 + i), 100));
  std::vector<Sent> sent(kSenders);
  std::vector<std::thread> senders;
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] { sent[i] = SendFor((*service)->port(), kSendSeconds, 0, &batches[i]); });
  }
  for (std::thread& sender : senders) sender.join();
  uint64_t accepted = 0, failed = 0, put_off = 0;
  for (const Sent& s : sent) accepted += s.accepted, failed += s.failed, put_off += s.put_off;
  const double durable = SecondsSince(began);
  const auto& stats = (*service)->runtime().stats();
  while (stats.events < accepted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double applied = SecondsSince(began);
  report->Check(failed == 0, fmt::format("{} batches were refused", failed));
  report->Check(stats.events == accepted && stats.duplicates == 0, "every accepted event is applied once");
  report->Add({name + "_durable_events_per_second", static_cast<double>(accepted) / durable, "events/s", target});
  report->Add({name + "_applied_events_per_second", static_cast<double>(accepted) / applied, "events/s", ""});
  report->Add({name + "_batches_put_off", static_cast<double>(put_off), "batches", ""});
}

double MedianOf(std::vector<double>* sorted, double share) {
  std::sort(sorted->begin(), sorted->end());
  return (*sorted)[std::min(sorted->size() - 1, static_cast<size_t>(share * static_cast<double>(sorted->size())))];
}

}  // namespace

void BenchHttp(BenchReport* report) {
  MeasureHttp(report, "http", ShopPlanYaml(), ">= 100000");
  MeasureHttp(report, "http_200_conditions", WidePlanYaml(), "");
}

// One user's count is asked for after each accepted event, until it includes it, while others keep the server half
// busy.
void BenchLatency(BenchReport* report) {
  constexpr double kHalfLoad = 50'000;  // events a second: half of what http is to reach
  constexpr double kSeconds = 10;
  const BenchFolder folder;
  const std::string yaml = ShopPlanYaml() + "  probes: count(probe)\n";
  auto service = StartService(folder.path(), yaml);
  if (!service.ok()) return report->Check(false, service.error().message);
  const uint16_t port = (*service)->port();
  std::vector<std::vector<Batch>> batches = {};
  for (int i = 0; i < 2; ++i) batches.push_back(MakeBatches(static_cast<uint64_t>(200 + i), 100));
  std::vector<Sent> sent(2);
  std::vector<std::thread> senders;
  for (size_t i = 0; i < 2; ++i) {
    senders.emplace_back([&, i] { sent[i] = SendFor(port, kSeconds, kHalfLoad / 2, &batches[i]); });
  }
  auto sender = Client::Connect("127.0.0.1", port);
  auto asker = Client::Connect("127.0.0.1", port);
  std::vector<double> visible_ms, accepted_ms;
  const auto began = std::chrono::steady_clock::now();
  for (int n = 1; sender.ok() && asker.ok() && SecondsSince(began) < kSeconds - 0.5; ++n) {
    const std::string event = fmt::format(R"({{"event":"probe","userId":"probe","messageId":"p-{}"}})", n);
    const auto sending = std::chrono::steady_clock::now();
    const auto answer = sender->Call("POST", "/v1/track", Headers("bench-write"), event);
    if (!answer.ok() || answer->status != 200) {
      report->Check(false, "a probe was refused");
      break;
    }
    const auto accepted = std::chrono::steady_clock::now();
    accepted_ms.push_back(std::chrono::duration<double, std::milli>(accepted - sending).count());
    const std::string wanted = fmt::format("\"probes\":{},", n);
    while (true) {
      const auto known = asker->Call("GET", "/user/probe/behavior?limit=0", Headers("bench-api"));
      if (!known.ok()) break;
      if (known->body.find(wanted) != std::string::npos) break;
    }
    visible_ms.push_back(SecondsSince(accepted) * 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (std::thread& thread : senders) thread.join();
  report->Check(visible_ms.size() > 100, "enough probes came through");
  if (visible_ms.empty()) return;
  report->Add({"latency_load_events_per_second", static_cast<double>(sent[0].accepted + sent[1].accepted) / kSeconds,
               "events/s", ""});
  report->Add({"latency_accepted_to_visible_p50", MedianOf(&visible_ms, 0.5), "ms", ""});
  report->Add({"latency_accepted_to_visible_p99", MedianOf(&visible_ms, 0.99), "ms", "<= 10"});
  report->Add({"latency_sent_to_accepted_p50", MedianOf(&accepted_ms, 0.5), "ms", ""});
  report->Add({"latency_sent_to_accepted_p99", MedianOf(&accepted_ms, 0.99), "ms", ""});
}

void BenchRecovery(BenchReport* report) {
  const BenchFolder folder;
  const auto program = Program::Compile(BenchPlan(ShopPlanYaml()));
  constexpr int kEvents = 3'000'000;
  RuntimeOptions options;
  options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  uint64_t users = 0;
  {
    auto runtime = Runtime::Open(folder.path(), program, options);
    if (!runtime.ok()) return report->Check(false, runtime.error().message);
    BenchLoad load(4, kUsers, WallClock() - kHour, 1);
    std::string record;
    for (int i = 0; i < kEvents;) {
      std::vector<std::string> records;
      std::vector<LogEntry> entries;
      for (int j = 0; j < 500 && i < kEvents; ++j, ++i) {
        auto event = load.Next();
        event.user = static_cast<uint32_t>(i / (kEvents / static_cast<int>(kUsers)));  // three events each
        const std::string id = fmt::format("v-{}", i), user = BenchUser(event.user);
        EventHead head;
        head.id = id;
        head.user = user;
        head.name = kBenchNames[event.name];
        head.time = head.received = event.time;
        records.emplace_back();
        EncodeEvent(head, BenchJson(event, id, event.time), &records.back());
        entries.push_back({static_cast<uint8_t>(RecordType::kEvent), ShardOf(user), {}});
      }
      for (size_t j = 0; j < entries.size(); ++j) entries[j].payload = records[j];
      while (!(*runtime)->Append(entries, [](const Status&, uint64_t) {}).ok()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    (*runtime)->Close();
    users = (*runtime)->stats().users;
  }
  const auto began = std::chrono::steady_clock::now();
  auto runtime = Runtime::Open(folder.path(), program, options);
  const double seconds = SecondsSince(began);
  if (!runtime.ok()) return report->Check(false, runtime.error().message);
  report->Add({"recovery_seconds", seconds, "s", ""});
  report->Add({"recovery_users_per_second", static_cast<double>(users) / seconds, "users/s", ""});
  report->Add({"recovery_resident_bytes_per_user", static_cast<double>(ResidentBytes()) / static_cast<double>(users),
               "bytes", ""});
  report->Check((*runtime)->stats().users == users && users == kUsers, "all users are back");
}

void BenchStartup(BenchReport* report) {
  std::vector<double> times_ms;
  for (int i = 0; i < 7; ++i) {
    const BenchFolder folder;
    const std::string plan = folder.path() + "/plan.yaml";
    if (FILE* out = std::fopen(plan.c_str(), "w")) {
      std::fputs(ShopPlanYaml().c_str(), out);
      std::fclose(out);
    }
    int ends[2];
    if (pipe(ends) != 0) return report->Check(false, "pipe");
    const auto began = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl("/proc/self/exe", "attune", "serve", "--plan", plan.c_str(), "--data", (folder.path() + "/data").c_str(),
            "--listen", "127.0.0.1:0", nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::string printed;
    char c;
    while (printed.find("attune is ready at") == std::string::npos && read(ends[0], &c, 1) == 1) printed += c;
    times_ms.push_back(SecondsSince(began) * 1000);
    kill(child, SIGTERM);
    int status = 0;
    waitpid(child, &status, 0);
    close(ends[0]);
    report->Check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server starts, and ends well");
  }
  report->Add({"startup_ms_median", MedianOf(&times_ms, 0.5), "ms", "< 100"});
}

}  // namespace attune
