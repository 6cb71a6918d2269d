// Traffic over HTTP for the benchmarks of the whole: a server on loopback, clients that send batches, and one that
// looks when an event becomes visible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "native/bench.h"
#include "server/service.h"

namespace attune {

// The write key is `bench-write`, the API key `bench-api`.
Result<std::unique_ptr<Service>> StartBenchService(const std::string& data, const std::string& yaml);

// A batch whose message ids are made new in place for each sending: building JSON is not what is measured.
class Batch {
 public:
  static constexpr size_t kEvents = 100;

  // Events of the load; all of them `user`'s unless that is empty. Batches of one number would repeat message ids.
  Batch(BenchLoad* load, int number, const std::string& user);
  const std::string& Take();

 private:
  std::string body_;
  std::vector<size_t> round_at_;
  int round_ = 0;
};

// Of one seed. `first`: the number of the first; batches sent to one server must not share numbers.
std::vector<Batch> MakeBatches(uint64_t seed, int count, uint32_t users, int first = 0, const std::string& user = "");

struct Sent {
  uint64_t accepted = 0;
  uint64_t put_off = 0;  // batches answered 429 and sent again, as clients do
  uint64_t failed = 0;
};
// Sends batches for a while. `per_second` > 0: at that rate of events, however slow the answers are.
Sent SendFor(uint16_t port, double seconds, double per_second, std::vector<Batch>* batches);

// Sends one event after another of the users `NAME-0`, `NAME-1` … in turn, and asks for each until the answer includes
// it. The plan needs the metric `probes: count(probe)`.
struct Probed {
  std::vector<double> accepted_ms;  // sent to accepted
  std::vector<double> visible_ms;   // accepted to visible
  bool ok = true;
};
Probed ProbeFor(uint16_t port, double seconds, const std::string& name, int users);

}  // namespace attune
