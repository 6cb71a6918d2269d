// A request's body: the first byte chooses the path, the rest is the body.
#include "base/check.h"
#include "event/event.h"
#include "event/json_text.h"
#include "ingest/protocol/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  if (size == 0) return 0;
  static const LoadedPlan loaded = ParsePlan("events:\n  e:\n    properties:\n      price: number\n      at: time?\n");
  static SegmentReader reader(*loaded.plan);
  ProtocolRequest request;
  request.path = kSegmentPaths[data[0] % std::size(kSegmentPaths)].path;
  request.body = {reinterpret_cast<const char*>(data) + 1, size - 1};
  request.received = 1'772'359'200'000;
  const ParsedRequest read = reader.Read(request);
  ATTUNE_CHECK(read.ok() || read.events.empty(), "of a refused request nothing is taken");
  for (const ParsedEvent& event : read.events) {
    ATTUNE_CHECK(event.ok() == !event.record.bytes().empty(), "an event is a record or a dead letter");
    if (event.ok()) {
      const auto stored = DecodeEvent(event.record.bytes());
      ATTUNE_CHECK(stored.ok() && !stored->head.user.empty() && stored->head.id == event.message_id,
                   "records are read back");
      ATTUNE_CHECK(!FindJsonFault(stored->json, kMaxEventDepth), "what is stored is JSON");
    } else {
      ATTUNE_CHECK(!FindJsonFault(ToNdjson(*event.dead), size + 64), "a dead letter is JSON");
    }
  }
  return 0;
}
