// All limits on events and on the bodies that contain them, each with what happens above it. (The limits of connections
// are in http/limits.h.)
#pragma once

#include <cstddef>

#include "base/time.h"

namespace attune {

struct IngestLimits {
  // Of a request: above one, the whole request is refused and nothing is stored.
  size_t body_bytes = 4 << 20;  // after decompression: `body_too_large`
  size_t expansion = 200;       // largest ratio of decompressed to compressed bytes, past 64 KiB: `bad_compression`
  size_t batch_events = 1000;   // events in a batch: `batch_too_long`

  // Of an event: above one, the event becomes a dead letter; its neighbours are stored.
  size_t event_bytes = 32 << 10;  // its JSON as sent: `event_too_large`
  size_t added_bytes = 256;       // an event in a history may be this much longer: an export adds to it
  size_t id_bytes = 512;          // each of its ids: `invalid_field`
  size_t name_bytes = 256;        // its name: `invalid_field`
  size_t object_members = 1000;   // members of one object in it: `too_many_members`
  size_t array_items = 4000;      // items of one array in it: `too_many_members`
  size_t trait_name_bytes = 512;  // a trait's dotted name: `invalid_field`
  Millis ahead = kDay;            // how far after the received time an event time may be: `timestamp_out_of_range`
  Millis clock_off = 365 * kDay;  // largest gap of `sentAt` and received time; above it the client's clock is ignored
  size_t errors = 20;             // at most this many of its errors are reported

  // Of a history file: above it, the line becomes a dead letter.
  size_t line_bytes = 4 << 20;  // `line_too_long`
};

inline constexpr size_t kPreviewBytes = 64;  // how much of an invalid value is shown
inline constexpr size_t kLetterBodyBytes = 32 << 10;  // how much is kept of the body of a request refused as a whole

}  // namespace attune
