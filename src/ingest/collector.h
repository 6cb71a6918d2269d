// Takes requests with events: checks the key and the rates, has the request's protocol read it, and appends the events
// and dead letters to the log. It knows nothing of HTTP.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/keys.h"
#include "access/rate_limits.h"
#include "access/refusal_budget.h"
#include "access/write_key.h"
#include "base/code_counts.h"
#include "base/metrics.h"
#include "ingest/protocols.h"
#include "shard/runtime.h"

namespace attune {

// A request as it came in. Views live during the call.
struct Upload {
  std::string_view path;               // one that a protocol serves
  std::string_view query;              // as sent, without the '?'
  std::string_view body;               // as sent, not decompressed
  KeySources keys{};                   // of the headers alone
  std::string_view sent_at{};          // RudderStack's header `SentAt`; empty: none
  std::string_view idempotency_key{};  // a request that is sent again has the same; empty: none
  std::string_view peer{};             // the client's address
};

// What became of an upload.
struct UploadOutcome {
  std::optional<Refusal> refusal{};  // why nothing was taken; then only `retry_seconds` counts
  int retry_seconds = 0;             // when sending the same again may succeed; 0: it will not
  ProtocolAnswer answer{};
  uint64_t position = 0;  // the last record that the upload became; 0: it became none
  const Source* source = nullptr;  // of the upload's key; null: the key was not found, or not looked for
};

// Any thread. A caller's thread does the reading, and never waits for the log.
class Collector {
 public:
  using Done = std::function<void(UploadOutcome)>;

  // All must outlive it. While `*draining` is true, uploads are refused with kDraining.
  Collector(Runtime* runtime, const Keys* keys, const Protocols* protocols, const RateOptions& rates,
            const std::atomic<bool>* draining);

  // Calls `done` once: during the call, or on the log's thread once what was taken is durable.
  void Collect(const Upload& upload, Done done);
  // What would become of an upload to a dry-run path; nothing is stored, but the rates are charged. The key is not
  // checked.
  UploadOutcome DryRun(const Upload& upload);

  void AddMetrics(Metrics* metrics) const;

 private:
  struct Sender;

  ProtocolReaders& Readers();
  ParsedRequest Read(const Upload& upload, Millis received);
  // A refusal: the key may not send now. Otherwise it becomes the sender's.
  std::optional<UploadOutcome> CheckKey(Sender* sender, std::string_view key);
  void KeepRefused(const Upload& upload, Refusal refusal, const Sender& sender, Millis received, const Done& done);
  void Append(std::string_view path, const std::vector<ParsedEvent>& events, const Sender& sender, Millis received,
              Done done);

  const uint64_t number_;  // no two in a process are the same
  Runtime& runtime_;
  const Keys& keys_;
  const Protocols& protocols_;
  const std::atomic<bool>& draining_;
  RateLimits rates_;
  RefusalBudget budget_;
  std::atomic<uint64_t> accepted_{0};  // events
  std::atomic<uint64_t> rejected_{0};  // events that became dead letters
  std::atomic<uint64_t> dropped_{0};   // events that a stage did not let pass
  std::vector<std::atomic<uint64_t>> accepted_of_;  // accepted events, by the index of their source
  CodeCounts letters_;                 // dead letters, of whole requests too, by reason
};

}  // namespace attune
