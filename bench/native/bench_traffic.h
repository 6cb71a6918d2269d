// HTTP traffic for the end-to-end benchmarks: a server on loopback, clients that send batches, and one that polls until
// an event is visible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "native/bench.h"
#include "server/service.h"

namespace attune {

// The write key is `bench-write`, the API key `bench-api`.
Result<std::unique_ptr<Service>> StartBenchService(const std::string& data, const std::string& yaml,
                                                   size_t keep_effects = ServiceOptions().keep_effects);

// A batch whose message ids are replaced in place for each send, so that building JSON is not measured.
class Batch {
 public:
  static constexpr size_t kEvents = 100;

  // Events of the load, all of them for `user` unless that is empty. Batches with the same number would repeat message
  // ids.
  Batch(BenchLoad* load, int number, const std::string& user);
  const std::string& Take();

 private:
  std::string body_;
  std::vector<size_t> round_at_;
  int round_ = 0;
};

// Batches of one seed. `first`: the number of the first; batches sent to one server must not share numbers.
std::vector<Batch> MakeBatches(uint64_t seed, int count, uint32_t users, int first = 0, const std::string& user = "");

struct Sent {
  uint64_t accepted = 0;
  uint64_t put_off = 0;  // batches answered with 429 and sent again, as clients do
  uint64_t failed = 0;
};
// Sends batches for a while. `per_second` > 0: at that rate of events, even when answers are slow.
Sent SendFor(uint16_t port, double seconds, double per_second, std::vector<Batch>* batches);

// Sends single events of the users `NAME-0`, `NAME-1` … in turn, and queries each until the answer includes it. The
// plan needs the metric `probes: count(probe)`.
struct Probed {
  std::vector<double> accepted_ms;  // sent to accepted
  std::vector<double> visible_ms;   // accepted to visible
  bool ok = true;
};
Probed ProbeFor(uint16_t port, double seconds, const std::string& name, int users);

}  // namespace attune
