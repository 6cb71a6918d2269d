// Events over HTTP: the paths of the wire protocols, and their dry runs. Turns requests into uploads for the collector,
// and outcomes into answers.
#pragma once

#include <string_view>

#include "access/keys.h"
#include "api/refused_requests.h"
#include "api/router.h"
#include "ingest/collector.h"
#include "ingest/protocols.h"

namespace attune {

class EventsResource {
 public:
  // Pointers must outlive it.
  EventsResource(RequestRouter* router, const Keys* keys, Collector* collector, const Protocols* protocols,
                 RefusedRequests* refused);

 private:
  void Collect(Call call);
  void DryRun(Call call);
  Response Refused(const UploadOutcome& outcome);

  const Keys& keys_;
  Collector& collector_;
  RefusedRequests& refused_;
};

}  // namespace attune
