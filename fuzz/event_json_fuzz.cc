// The JSON of an event: both parsers agree, and an event that was read can be written.
#include "base/check.h"
#include "event/event.h"
#include "event/json_text.h"
#include "event/name.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static EventReader reader;
  const bool opened = reader.Open(text).ok();
  const auto fault = FindJsonFault(text, kMaxEventDepth);
  ATTUNE_CHECK(!opened || !fault, "the fast parser takes nothing that the slow one finds a fault in");
  JsonSlices slices(text);
  while (slices.Next()) {}
  ATTUNE_CHECK(!opened || slices.ok(), "an object can be taken apart");
  const std::string name = NormaliseEventName(text);
  ATTUNE_CHECK(NormaliseEventName(name) == name, "a normalised name is normal");
  (void)DecodeEvent(text);
  if (!opened) return 0;
  for (const std::string_view root : {"properties", "traits", "context"}) {
    reader.ForEachLeaf(root, [](std::string_view, const Value& value, std::string_view json) {
      ATTUNE_CHECK(!FindJsonFault(json, kMaxEventDepth) && !FindJsonFault(ToJson(value), kMaxEventDepth),
                   "what is handed out is JSON");
    });
  }
  for (size_t i = 0; i < kMembers; ++i) (void)reader.Text(static_cast<Member>(i));
  (void)ReadTimestamp(reader.Get(Member::kTimestamp).value);
  return 0;
}
