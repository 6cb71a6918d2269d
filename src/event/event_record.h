// An event as it goes into the log, with what must be known to route it there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "event/event.h"

namespace attune {

// Owns the bytes. The ids are read from them without decoding.
class EventRecord {
 public:
  // Empty: of no event.
  EventRecord() = default;
  // Encodes the event, see EncodeEvent.
  EventRecord(const EventHead& head, std::string_view json);

  const std::string& bytes() const { return bytes_; }
  EventKind kind() const { return kind_; }
  // As in the head. Live as long as this does not change.
  std::string_view user() const { return std::string_view(bytes_).substr(user_at_, user_size_); }
  std::string_view anonymous_id() const { return std::string_view(bytes_).substr(anonymous_at_, anonymous_size_); }

 private:
  std::string bytes_;
  EventKind kind_ = EventKind::kTrack;
  size_t user_at_ = 0, user_size_ = 0;
  size_t anonymous_at_ = 0, anonymous_size_ = 0;
};

}  // namespace attune
