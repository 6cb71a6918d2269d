// End-to-end benchmarks: a real server on loopback, real clients, a real disk.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "native/bench.h"
#include "native/bench_traffic.h"
#include "server/folder_runtime.h"

namespace attune {
namespace {

constexpr uint32_t kServiceUsers = 1'000'000;
constexpr int kServiceSenders = 8;  // enough in flight that one sync serves several
constexpr double kSendSeconds = 6;

struct HttpRates {
  double durable = 0;  // events a second that were answered as accepted
  double applied = 0;  // and that took effect
  uint64_t put_off = 0;
  double processor_us = 0;  // of the whole process, senders included, for each event
};

double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Sends batches on eight connections for some seconds, and waits until all events are applied.
HttpRates MeasureHttp(BenchReport* report, const std::string& yaml, size_t keep_effects = ServiceOptions().keep_effects) {
  const BenchFolder folder;
  auto service = StartBenchService(folder.path(), yaml, keep_effects);
  if (!service.ok()) return report->Check(false, service.error().message), HttpRates();
  std::vector<std::vector<Batch>> batches;
  for (int i = 0; i < kServiceSenders; ++i) batches.push_back(MakeBatches(static_cast<uint64_t>(100 + i), 100, kServiceUsers));
  std::vector<Sent> sent(kServiceSenders);
  std::vector<std::thread> senders;
  const auto began = std::chrono::steady_clock::now();
  const double processor = ProcessorSeconds();
  for (size_t i = 0; i < kServiceSenders; ++i) {
    senders.emplace_back([&, i] { sent[i] = SendFor((*service)->port(), kSendSeconds, 0, &batches[i]); });
  }
  for (std::thread& sender : senders) sender.join();
  uint64_t accepted = 0, failed = 0;
  HttpRates rates;
  for (const Sent& s : sent) accepted += s.accepted, failed += s.failed, rates.put_off += s.put_off;
  rates.durable = static_cast<double>(accepted) / SecondsSince(began);
  const auto& stats = (*service)->runtime().stats();
  while (stats.events < accepted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  rates.applied = static_cast<double>(accepted) / SecondsSince(began);
  rates.processor_us = (ProcessorSeconds() - processor) * 1e6 / static_cast<double>(accepted);
  report->Check(failed == 0, fmt::format("{} batches were refused", failed));
  report->Check(stats.events == accepted && stats.duplicates == 0, "every accepted event is applied once");
  report->Check(keep_effects == 0 || (*service)->runtime().outbox().effects() > 0, "changes are published");
  return rates;
}

void ReportHttp(BenchReport* report, const std::string& name, const std::string& yaml, const std::string& target) {
  const HttpRates rates = MeasureHttp(report, yaml);
  report->Add({name + "_durable_events_per_second", rates.durable, "events/s", target});
  report->Add({name + "_applied_events_per_second", rates.applied, "events/s", ""});
  report->Add({name + "_batches_put_off", static_cast<double>(rates.put_off), "batches", ""});
}

}  // namespace

void BenchHttp(BenchReport* report) {
  ReportHttp(report, "http", ShopPlanYaml(), ">= 100000");
  ReportHttp(report, "http_200_conditions", WidePlanYaml(), "");
}

// What publishing every change costs: the same load with an outbox and without one, in turns.
void BenchOutbox(BenchReport* report) {
  constexpr int kRounds = 3;
  std::vector<double> with, without, ratios, processor_ratios;
  for (int round = 0; round < kRounds; ++round) {
    const HttpRates none = MeasureHttp(report, WidePlanYaml(), 0), all = MeasureHttp(report, WidePlanYaml());
    without.push_back(none.applied);
    with.push_back(all.applied);
    ratios.push_back(all.applied / none.applied);
    processor_ratios.push_back(all.processor_us / none.processor_us);
  }
  report->Add({"outbox_200_conditions_applied_events_per_second", Quantile(&with, 0.5), "events/s", ""});
  report->Add({"outbox_none_applied_events_per_second", Quantile(&without, 0.5), "events/s", ""});
  report->Add({"outbox_ratio_to_none", Quantile(&ratios, 0.5), "", ">= 0.95"});
  report->Add({"outbox_processor_time_ratio_to_none", Quantile(&processor_ratios, 0.5), "", "<= 1.05"});
}

void BenchRecovery(BenchReport* report) {
  const BenchFolder folder;
  const auto program = Program::Compile(BenchPlan(ShopPlanYaml()));
  constexpr int kEvents = 3'000'000;
  RuntimeOptions options;
  options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  uint64_t users = 0;
  {
    auto runtime = FolderRuntime::Open(folder.path(), program, options);
    if (!runtime.ok()) return report->Check(false, runtime.error().message);
    BenchLoad load(4, kServiceUsers, WallClock() - kHour, 1);
    std::string record;
    for (int i = 0; i < kEvents;) {
      std::deque<EventRecord> records;
      std::vector<NewRecord> entries;
      for (int j = 0; j < 500 && i < kEvents; ++j, ++i) {
        auto event = load.Next();
        event.user = static_cast<uint32_t>(i / (kEvents / static_cast<int>(kServiceUsers)));  // three events each
        const std::string id = fmt::format("v-{}", i), user = BenchUser(event.user);
        EventHead head;
        head.id = id;
        head.user = user;
        head.name = kBenchNames[event.name];
        head.time = head.received = event.time;
        entries.push_back(NewRecord::Event(records.emplace_back(head, BenchJson(event, id, event.time))));
      }
      while (!(*runtime)->runtime().Append(entries, [](const Status&, uint64_t) {}).ok()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    (*runtime)->runtime().Close();
    users = (*runtime)->runtime().stats().users;
  }
  const auto began = std::chrono::steady_clock::now();
  auto runtime = FolderRuntime::Open(folder.path(), program, options);
  const double seconds = SecondsSince(began);
  if (!runtime.ok()) return report->Check(false, runtime.error().message);
  report->Add({"recovery_seconds", seconds, "s", ""});
  report->Add({"recovery_users_per_second", static_cast<double>(users) / seconds, "users/s", ""});
  report->Add({"recovery_resident_bytes_per_user", static_cast<double>(ResidentBytes()) / static_cast<double>(users),
               "bytes", ""});
  report->Check((*runtime)->runtime().stats().users == users && users == kServiceUsers, "all users are back");
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
  report->Add({"startup_ms_median", Quantile(&times_ms, 0.5), "ms", "< 100"});
}

}  // namespace attune
