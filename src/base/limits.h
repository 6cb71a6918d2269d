// What the collector takes. Every limit on events and on the bodies that bring them is here, with what happens to what
// is above it. (The connection's own limits are in http/limits.h.)
#pragma once

#include <cstddef>

#include "base/time.h"

namespace attune {

struct IngestLimits {
  // Of a request: the whole of it is refused, nothing is stored.
  size_t body_bytes = 4 << 20;  // after decompression: `body_too_large`
  size_t expansion = 200;       // a compressed body may grow so many times (past its first 64 KiB): `bad_compression`
  size_t batch_events = 1000;   // events in a batch: `batch_too_long`

  // Of an event: it becomes a dead letter, its neighbours are stored.
  size_t event_bytes = 32 << 10;  // its JSON as sent: `event_too_large`
  size_t added_bytes = 256;       // so much longer it may be in a history: what an export adds to it
  size_t id_bytes = 512;          // each of its ids: `invalid_field`
  size_t name_bytes = 256;        // its name: `invalid_field`
  size_t object_members = 1000;   // members of one object in it: `too_many_members`
  size_t array_items = 4000;      // items of one array in it: the same
  size_t trait_name_bytes = 512;  // a trait's dotted name: `invalid_field`
  Millis ahead = kDay;            // so far after it was received its time may lie: `timestamp_out_of_range`
  Millis clock_off = 365 * kDay;  // so far `sentAt` may lie from when it was received; beyond it the client's clock is ignored
  size_t errors = 20;             // so many of its errors are told

  // Of a history file: the line becomes a dead letter.
  size_t line_bytes = 4 << 20;  // `line_too_long`
};

inline constexpr size_t kPreviewBytes = 64;  // so much of a wrong value is shown
inline constexpr size_t kLetterBodyBytes = 32 << 10;  // so much is kept of the body of a request that was refused as a whole

}  // namespace attune
