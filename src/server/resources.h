// The composition of what the server answers: the wire protocols, the resources of the API, and their metrics, one line
// for each. A new one is a file of its own and a line in resources.cc.
#pragma once

#include <memory>
#include <string>

#include "access/keys.h"
#include "access/rate_limits.h"
#include "dead_letter/dead_letters.h"
#include "http/limits.h"
#include "shard/runtime.h"

namespace attune {

class Metrics;
class RequestRouter;

struct ResourceOptions {
  std::string plan_path;    // the file that PUT /v1/plan replaces; a folder, or empty: it is refused
  std::string status_note;  // a JSON value that /v1/status shows as `demo`; empty: null
  RateOptions rates;
  HttpLimits http_limits;  // the server's, for /v1/limits
  bool metrics_open = false;  // GET /metrics needs no key
};

class Resources {
 public:
  // All must outlive it.
  Resources(Runtime* runtime, const Keys* keys, DeadLetters* dead_letters, ResourceOptions options);
  ~Resources();

  const RequestRouter& router() const;
  // What GET /metrics prints. Add to it before the first request.
  Metrics& metrics();
  // From now on events and questions are refused with 503, and /readyz says so. Cancels studies.
  void Drain();

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace attune
