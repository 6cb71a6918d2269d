#include "native/bench_traffic.h"

#include <fmt/format.h>

#include <thread>

#include "http/client.h"

namespace attune {
namespace {

ClientHeaders Headers(const char* key) {
  return {{"Authorization", std::string("Bearer ") + key}, {"Content-Type", "application/json"}};
}

}  // namespace

Result<std::unique_ptr<Service>> StartBenchService(const std::string& data, const std::string& yaml, size_t keep_effects) {
  ServiceOptions options;
  options.data = data;
  options.port = 0;
  options.write_key = "bench-write";
  options.api_key = "bench-api";
  options.keep_effects = keep_effects;
  return Service::Start(BenchPlan(yaml), std::move(options));
}

Batch::Batch(BenchLoad* load, int number, const std::string& user) {
  body_ = "{\"batch\":[";
  for (size_t i = 0; i < kEvents; ++i) {
    if (i > 0) body_ += ',';
    BenchLoad::Event made = load->Next();
    std::string event = BenchJson(made, fmt::format("b-00000000-{:05}-{:03}", number, i), kNever);
    if (!user.empty()) event.replace(event.find(BenchUser(made.user)), BenchUser(made.user).size(), user);
    round_at_.push_back(body_.size() + event.find("b-00000000") + 2);
    body_ += event;
  }
  body_ += "]}";
}

const std::string& Batch::Take() {
  const std::string round = fmt::format("{:08}", ++round_);
  for (const size_t at : round_at_) body_.replace(at, 8, round);
  return body_;
}

std::vector<Batch> MakeBatches(uint64_t seed, int count, uint32_t users, int first, const std::string& user) {
  BenchLoad load(seed, users, 0, 1);
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) batches.emplace_back(&load, first + i, user);
  return batches;
}

Sent SendFor(uint16_t port, double seconds, double per_second, std::vector<Batch>* batches) {
  Sent sent;
  auto client = Client::Connect("127.0.0.1", port);
  if (!client.ok()) return {.failed = 1};
  const auto headers = Headers("bench-write");
  const std::string expected = fmt::format("\"accepted\":{},", Batch::kEvents);
  const auto began = std::chrono::steady_clock::now();
  for (size_t i = 0; SecondsSince(began) < seconds; ++i) {
    if (per_second > 0) {
      const auto due = began + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::duration<double>(static_cast<double>(i * Batch::kEvents) / per_second));
      std::this_thread::sleep_until(due);
    }
    const auto answer = client->Call("POST", "/v1/batch", headers, (*batches)[i % batches->size()].Take());
    if (answer.ok() && answer->status == 200 && answer->body.find(expected) != std::string::npos) {
      sent.accepted += Batch::kEvents;
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

Probed ProbeFor(uint16_t port, double seconds, const std::string& name, int users) {
  Probed probed;
  auto sender = Client::Connect("127.0.0.1", port);
  auto asker = Client::Connect("127.0.0.1", port);
  probed.ok = sender.ok() && asker.ok();
  if (!probed.ok) return probed;
  const auto began = std::chrono::steady_clock::now();
  for (int n = 0; SecondsSince(began) < seconds; ++n) {
    const std::string user = fmt::format("{}-{}", name, n % users);
    const std::string event = fmt::format(R"({{"event":"probe","userId":"{}","messageId":"{}-p-{}"}})", user, name, n);
    const auto sending = std::chrono::steady_clock::now();
    const auto answer = sender->Call("POST", "/v1/track", Headers("bench-write"), event);
    if (!answer.ok() || answer->status != 200) {
      probed.ok = false;
      return probed;
    }
    const auto accepted = std::chrono::steady_clock::now();
    probed.accepted_ms.push_back(std::chrono::duration<double, std::milli>(accepted - sending).count());
    const std::string wanted = fmt::format("\"probes\":{},", n / users + 1);
    while (true) {
      const auto known = asker->Call("GET", "/user/" + user + "/behavior?limit=0", Headers("bench-api"));
      if (!known.ok()) {
        probed.ok = false;
        return probed;
      }
      if (known->body.find(wanted) != std::string::npos) break;
    }
    probed.visible_ms.push_back(SecondsSince(accepted) * 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return probed;
}

}  // namespace attune
