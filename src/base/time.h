// Instants and durations. Both are whole milliseconds: an instant counts from 1970-01-01T00:00:00Z.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace attune {

using Millis = int64_t;

inline constexpr Millis kNever = std::numeric_limits<Millis>::max();   // later than every instant
inline constexpr Millis kAlways = std::numeric_limits<Millis>::min();  // earlier than every instant

inline constexpr Millis kSecond = 1000;
inline constexpr Millis kMinute = 60 * kSecond;
inline constexpr Millis kHour = 60 * kMinute;
inline constexpr Millis kDay = 24 * kHour;
inline constexpr Millis kWeek = 7 * kDay;

// Parses RFC 3339 (`2026-03-01T10:00:00.000Z`, an offset, a space for the T, a date alone = midnight UTC), and a local
// form without offset, taken as UTC. Digits below a millisecond are truncated. Years 0001 to 9999. nullopt: not a time.
std::optional<Millis> ParseRfc3339(std::string_view text);

// As ParseRfc3339, or all digits: epoch milliseconds (command-line options and CSV cells).
std::optional<Millis> ParseInstant(std::string_view text);

// `2026-03-01T10:00:00.000Z`, always with three decimals.
std::string FormatRfc3339(Millis instant);

// `1d 2h`, `30m`, `250ms`: the largest units that express it exactly, for people.
std::string FormatDuration(Millis duration);

// The wall clock. The engine never calls it: its instants come with the records.
Millis WallClock();

}  // namespace attune
