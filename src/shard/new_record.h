// A record on its way to the log.
#pragma once

#include <cstdint>
#include <string_view>

#include "event/event_record.h"
#include "identity/identity.h"
#include "log/record_type.h"

namespace attune {

// Views live until Append has returned.
struct NewRecord {
  // An event. The router finds its shard, and may give it another type.
  static NewRecord Event(const EventHead& head, std::string_view payload) {
    return {RecordType::kEvent, 0, payload, head.user, Identity::RequestsMerge(head) ? head.anonymous_id : std::string_view()};
  }
  static NewRecord Event(const EventRecord& record) {
    EventHead head;
    head.kind = record.kind();
    head.user = record.user();
    head.anonymous_id = record.anonymous_id();
    return Event(head, record.bytes());
  }

  RecordType type = RecordType::kEvent;
  uint8_t shard = 0;
  std::string_view payload;
  // Of an event: whose it is, and the id whose history it asks to merge into that user's; empty: none.
  std::string_view user = {};
  std::string_view merges = {};
};

}  // namespace attune
