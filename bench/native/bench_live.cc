// Benchmarks of latency for live users: how soon an event is visible, also while another user is very active, and how
// late timers take effect.
#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <thread>

#include "http/client.h"
#include "native/bench.h"
#include "native/bench_traffic.h"

namespace attune {
namespace {

constexpr uint32_t kUsers = 1'000'000;
constexpr double kHalfLoad = 50'000;  // events a second: half the target of http
constexpr int kSenders = 2;

std::string ProbedPlanYaml() { return ShopPlanYaml() + "  probes: count(probe)\n"; }

// Measures visibility while these batches keep the server at half load.
Probed ProbeUnderLoad(uint16_t port, double seconds, const std::string& name, int users,
                      std::vector<std::vector<Batch>>* batches, uint64_t* accepted, BenchReport* report) {
  std::vector<Sent> sent(kSenders);
  std::vector<std::thread> senders;
  for (size_t i = 0; i < kSenders; ++i) {
    senders.emplace_back([&, i] { sent[i] = SendFor(port, seconds, kHalfLoad / kSenders, &(*batches)[i]); });
  }
  Probed probed = ProbeFor(port, seconds - 0.5, name, users);
  *accepted = 0;
  for (size_t i = 0; i < kSenders; ++i) {
    senders[i].join();
    *accepted += sent[i].accepted;
    report->Check(sent[i].failed == 0, "batches were refused");
  }
  report->Check(probed.ok, "a probe was refused");
  report->Check(probed.visible_ms.size() > 100, "enough probes came through");
  return probed;
}

}  // namespace

// Queries one user's count after each accepted event until the count includes it, while other users keep the server at
// half load.
void BenchLatency(BenchReport* report) {
  constexpr double kSeconds = 10;
  const BenchFolder folder;
  auto service = StartBenchService(folder.path(), ProbedPlanYaml());
  if (!service.ok()) return report->Check(false, service.error().message);
  std::vector<std::vector<Batch>> batches;
  for (int i = 0; i < kSenders; ++i)
    batches.push_back(MakeBatches(static_cast<uint64_t>(200 + i), 100, kUsers, i * 100));
  uint64_t accepted = 0;
  Probed probed = ProbeUnderLoad((*service)->port(), kSeconds, "probe", 1, &batches, &accepted, report);
  if (probed.visible_ms.empty()) return;
  report->Add({"latency_load_events_per_second", static_cast<double>(accepted) / kSeconds, "events/s", ""});
  report->Add({"latency_accepted_to_visible_p50", Quantile(&probed.visible_ms, 0.5), "ms", ""});
  report->Add({"latency_accepted_to_visible_p99", Quantile(&probed.visible_ms, 0.99), "ms", "<= 10"});
  report->Add({"latency_sent_to_accepted_p50", Quantile(&probed.accepted_ms, 0.5), "ms", ""});
  report->Add({"latency_sent_to_accepted_p99", Quantile(&probed.accepted_ms, 0.99), "ms", ""});
}

// The same load twice: spread over a million users, then all of it for one user. Probes other users, some of them in
// that user's shard.
void BenchHotUser(BenchReport* report) {
  constexpr double kSeconds = 21;  // a million events
  constexpr int kProbedUsers = 128;
  const BenchFolder folder;
  auto service = StartBenchService(folder.path(), ProbedPlanYaml());
  if (!service.ok()) return report->Check(false, service.error().message);
  double p99[2] = {};
  uint64_t accepted[2] = {};
  for (const bool hot : {false, true}) {
    std::vector<std::vector<Batch>> batches;
    for (int i = 0; i < kSenders; ++i) {
      batches.push_back(
          MakeBatches(static_cast<uint64_t>(300 + i), 100, kUsers, (hot ? 1000 : 0) + i * 100, hot ? "hot" : ""));
    }
    Probed probed = ProbeUnderLoad((*service)->port(), kSeconds, hot ? "beside" : "before", kProbedUsers, &batches,
                                   &accepted[hot], report);
    if (probed.visible_ms.empty()) return;
    p99[hot] = Quantile(&probed.visible_ms, 0.99);
    const std::string name = hot ? "hot_user_" : "hot_user_spread_";
    report->Add({name + "load_events_per_second", static_cast<double>(accepted[hot]) / kSeconds, "events/s", ""});
    report->Add({name + "others_p50", Quantile(&probed.visible_ms, 0.5), "ms", ""});
    report->Add({name + "others_p99", p99[hot], "ms", ""});
  }
  report->Add({"hot_user_events", static_cast<double>(accepted[1]), "events", ">= 1000000"});
  report->Add({"hot_user_others_p99_ratio", p99[1] / p99[0], "", "<= 2"});
  auto& runtime = (*service)->runtime();
  const auto waiting = std::chrono::steady_clock::now();
  while (runtime.stats().events < accepted[0] + accepted[1] && SecondsSince(waiting) < 10) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  report->Check(runtime.stats().duplicates == 0 && runtime.stats().events >= accepted[0] + accepted[1],
                "every event is applied once");
}

namespace {

constexpr uint32_t kObserved = 4000;
constexpr Millis kEvery = 3;

// A client of /v1/stream that waits for effects of certain users.
class Listener {
 public:
  // Waits for as many exits and as many absences as there are users in `due`.
  Listener(uint16_t port, const std::map<std::string, Millis, std::less<>>& due)
      : due_(due), thread_([this, port] { Run(port); }) {}
  ~Listener() { Join(); }
  bool listening() const { return listening_; }
  // Waits until it has received all, or until nothing arrives for about ten seconds.
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  std::vector<double> exit_ms, absence_ms;  // delay after the instant of the effect
  uint64_t wrong = 0;                       // effects with a wrong instant

 private:
  void Run(uint16_t port) {
    auto client = Client::Connect("127.0.0.1", port);
    if (!client.ok()) return;
    if (!client->SendRaw("GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer bench-api\r\n\r\n").ok())
      return;
    if (!client->ReadHead().ok()) return;
    std::string text;
    while (exit_ms.size() < due_.size() || absence_ms.size() < due_.size()) {
      auto chunk = client->ReadChunk();
      if (!chunk.ok() || chunk->empty()) return;
      listening_ = true;
      const Millis now = WallClock();
      text += *chunk;
      size_t line;
      while ((line = text.find('\n')) != std::string::npos) {
        Hear(text.substr(0, line), now);
        text.erase(0, line + 1);
      }
    }
  }
  static std::string FieldOf(const std::string& line, const std::string& name) {
    const std::string key = "\"" + name + "\":\"";
    const size_t from = line.find(key);
    if (from == std::string::npos) return "";
    return line.substr(from + key.size(), line.find('"', from + key.size()) - from - key.size());
  }
  void Hear(const std::string& line, Millis now) {
    if (!line.starts_with("data: ")) return;
    const bool exit = FieldOf(line, "segment") == "active" && FieldOf(line, "change") == "leave";
    const bool absence = FieldOf(line, "segment") == "gone_quiet" && FieldOf(line, "change") == "enter";
    if (!exit && !absence) return;
    const auto due = due_.find(FieldOf(line, "user"));
    const auto at = ParseRfc3339(FieldOf(line, "at"));
    if (due == due_.end() || !at || *at != due->second) {
      ++wrong;
      return;
    }
    (exit ? exit_ms : absence_ms).push_back(static_cast<double>(now - *at));
  }

  const std::map<std::string, Millis, std::less<>>& due_;
  std::atomic<bool> listening_{false};
  std::thread thread_;
};

// Appends a page_viewed for each of these users.
void AppendViews(Runtime* runtime, uint32_t first, uint32_t count, const std::function<Millis(uint32_t)>& time) {
  for (uint32_t i = first; i < first + count;) {
    std::deque<EventRecord> records;
    std::vector<NewRecord> entries;
    for (; records.size() < 500 && i < first + count; ++i) {
      const std::string user = BenchUser(i), id = fmt::format("t-{}", i);
      EventHead head;
      head.id = id;
      head.user = user;
      head.name = "page_viewed";
      head.time = head.received = time(i);
      const std::string json = fmt::format(R"({{"event":"page_viewed","userId":"{}","messageId":"{}"}})", user, id);
      entries.push_back(NewRecord::Event(records.emplace_back(head, json)));
    }
    while (!runtime->Append(entries, [](const Status&, uint64_t) {}).ok()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  while (runtime->stats().events < first + count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

// A million users have a timer each, far in the future. Some thousands of them have timers that come due one after the
// other while no request is made. Each of these leaves one segment and enters another at one instant. Measures when a
// listening client receives it.
void BenchTimers(BenchReport* report) {
  const BenchFolder folder;
  auto service = StartBenchService(
      folder.path(),
      "segments:\n  active: {when: 'count(page_viewed[30m]) >= 1'}\n  gone_quiet: {when: 'page_viewed then no purchase for 30m'}\n");
  if (!service.ok()) return report->Check(false, service.error().message);
  Runtime& runtime = (*service)->runtime();
  const Millis began = WallClock();
  AppendViews(&runtime, 0, kUsers, [&](uint32_t i) { return began - 10 * kMinute + i % (10 * kMinute); });

  const Millis first_due = WallClock() + 3 * kSecond;
  const auto due = [&](uint32_t i) { return first_due + static_cast<Millis>(i - kUsers) * kEvery; };
  std::map<std::string, Millis, std::less<>> waited_for;
  for (uint32_t i = kUsers; i < kUsers + kObserved; ++i) waited_for.emplace(BenchUser(i), due(i));
  Listener listener((*service)->port(), waited_for);
  while (!listener.listening() && WallClock() < first_due) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  AppendViews(&runtime, kUsers, kObserved, [&](uint32_t i) { return due(i) - 30 * kMinute; });
  report->Check(WallClock() < first_due, "the observed timers were armed before the first was due");
  listener.Join();

  report->Check(listener.wrong == 0, fmt::format("{} changes were not at their instants", listener.wrong));
  report->Check(listener.exit_ms.size() == kObserved && listener.absence_ms.size() == kObserved,
                "everyone observed left and entered");
  const auto plan_state = runtime.plan_state();
  const auto active = plan_state->program().FindSegment("active");
  report->Check(active && plan_state->SegmentSize(*active) == kUsers, "the million is still there");
  if (listener.exit_ms.empty() || listener.absence_ms.empty()) return;
  report->Add({"timers_armed", static_cast<double>(kUsers + kObserved), "", ""});
  report->Add({"timers_exit_late_p50", Quantile(&listener.exit_ms, 0.5), "ms", ""});
  report->Add({"timers_exit_late_p99", Quantile(&listener.exit_ms, 0.99), "ms", ""});
  report->Add({"timers_exit_late_most", Quantile(&listener.exit_ms, 1), "ms", "<= 100"});
  report->Add({"timers_absence_late_most", Quantile(&listener.absence_ms, 1), "ms", "<= 100"});
}

}  // namespace attune
