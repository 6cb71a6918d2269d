// A record of the log that decodes its event at most once.
#pragma once

#include <optional>

#include "base/check.h"
#include "event/event.h"
#include "log/record.h"
#include "log/record_type.h"

namespace attune {

// Views live as long as the record's bytes. One thread at a time, including reads.
class LoggedRecord : public RecordView {
 public:
  LoggedRecord() = default;
  explicit LoggedRecord(const RecordView& record) : RecordView(record) {}

  // Requires HoldsEvent(type). The first call decodes the payload.
  const EncodedEvent& event() const {
    if (!event_) {
      auto decoded = DecodeEvent(payload);
      // The event was valid when it was appended, and its checksum matches.
      ATTUNE_CHECK(decoded.ok(), "a durable event can be read");
      event_ = *decoded;
    }
    return *event_;
  }

 private:
  mutable std::optional<EncodedEvent> event_;
};

}  // namespace attune
