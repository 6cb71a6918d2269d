#include "base/time.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace attune {
namespace {

bool IsLeap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int DaysInMonth(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// Parses exactly `width` digits at `*at` and moves past them.
bool Digits(std::string_view text, size_t* at, size_t width, int* value) {
  if (*at + width > text.size()) return false;
  int result = 0;
  for (size_t i = 0; i < width; ++i) {
    const char c = text[*at + i];
    if (c < '0' || c > '9') return false;
    result = result * 10 + (c - '0');
  }
  *at += width;
  *value = result;
  return true;
}

bool Literal(std::string_view text, size_t* at, char c) {
  if (*at >= text.size() || text[*at] != c) return false;
  ++*at;
  return true;
}

Millis SinceEpoch(int year, int month, int day) {
  return std::chrono::sys_days(std::chrono::year(year) / month / day).time_since_epoch().count() * kDay;
}

// `.123456` after the seconds: milliseconds, finer digits truncated. A dot without digits is
// invalid.
bool Fraction(std::string_view text, size_t* at, Millis* millis) {
  *millis = 0;
  if (*at >= text.size() || (text[*at] != '.' && text[*at] != ',')) return true;
  ++*at;
  Millis scale = 100;
  const size_t begin = *at;
  for (; *at < text.size() && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
    *millis += (text[*at] - '0') * scale;
    scale /= 10;
  }
  return *at > begin;
}

// `Z`, `UTC`, `+02:00`, `+0200`, `+02` or nothing.
bool Offset(std::string_view text, size_t* at, Millis* offset) {
  *offset = 0;
  if (text.substr(*at) == " UTC" || text.substr(*at) == "UTC") {
    *at = text.size();
    return true;
  }
  if (*at == text.size()) return true;
  const char c = text[(*at)++];
  if (c == 'Z' || c == 'z') return true;
  if (c != '+' && c != '-') return false;
  int hours = 0;
  int minutes = 0;
  if (!Digits(text, at, 2, &hours)) return false;
  if (*at < text.size()) {
    Literal(text, at, ':');
    if (!Digits(text, at, 2, &minutes)) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  *offset = (hours * kHour + minutes * kMinute) * (c == '-' ? -1 : 1);
  return true;
}

}  // namespace

std::optional<Millis> ParseRfc3339(std::string_view text) {
  size_t at = 0;
  int year, month, day;
  if (!Digits(text, &at, 4, &year) || !Literal(text, &at, '-') || !Digits(text, &at, 2, &month) ||
      !Literal(text, &at, '-') || !Digits(text, &at, 2, &day)) {
    return std::nullopt;
  }
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month)) return std::nullopt;
  const Millis midnight = SinceEpoch(year, month, day);
  if (at == text.size()) return midnight;
  if (text[at] != 'T' && text[at] != 't' && text[at] != ' ') return std::nullopt;
  ++at;
  int hour, minute, second = 0;
  Millis millis = 0;
  if (!Digits(text, &at, 2, &hour) || !Literal(text, &at, ':') || !Digits(text, &at, 2, &minute)) return std::nullopt;
  if (at < text.size() && text[at] == ':') {
    ++at;
    if (!Digits(text, &at, 2, &second) || !Fraction(text, &at, &millis)) return std::nullopt;
  }
  // A leap second (60) equals the first second of the next minute, as in POSIX time.
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  Millis offset;
  if (!Offset(text, &at, &offset) || at != text.size()) return std::nullopt;
  return midnight + hour * kHour + minute * kMinute + second * kSecond + millis - offset;
}

std::optional<Millis> ParseInstant(std::string_view text) {
  Millis millis;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (error == std::errc() && end == text.data() + text.size()) return millis;
  return ParseRfc3339(text);
}

// Written by hand for speed: a replay formats millions of instants.
std::string FormatRfc3339(Millis instant) {
  const Millis days = (instant >= 0 ? instant : instant - (kDay - 1)) / kDay;
  const Millis in_day = instant - days * kDay;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  const int year = static_cast<int>(date.year());
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&](size_t at, size_t width, Millis number) {
    for (size_t i = at + width; i-- > at; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  };
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, in_day / kHour);
  put(14, 2, in_day / kMinute % 60);
  put(17, 2, in_day / kSecond % 60);
  put(20, 3, in_day % kSecond);
  if (year < 0 || year > 9999) return fmt::format("{:04}", year) + text.substr(4);
  put(0, 4, year);
  return text;
}

std::string FormatDuration(Millis duration) {
  if (duration == 0) return "0s";
  std::string text = duration < 0 ? "-" : "";
  uint64_t left = duration < 0 ? -static_cast<uint64_t>(duration) : static_cast<uint64_t>(duration);
  constexpr struct {
    Millis size;
    const char* unit;
  } kUnits[] = {{kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}, {1, "ms"}};
  const char* space = "";
  for (const auto& [size, unit] : kUnits) {
    const uint64_t n = left / static_cast<uint64_t>(size);
    left %= static_cast<uint64_t>(size);
    if (n == 0) continue;
    text += fmt::format("{}{}{}", space, n, unit);
    space = " ";
  }
  return text;
}

Millis WallClock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace attune
