#include "base/journal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "base/json.h"

namespace attune {
namespace {

constexpr std::string_view kLevels[] = {"info", "warning", "error"};
// Keeps lines short enough for a pipe to write atomically; a longer line could be mixed with another process's.
constexpr size_t kMostMessageBytes = 2000;

uint32_t CodePointAt(std::string_view text, size_t length) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  if (length == 2) return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
  if (length == 3) return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
  return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
}

// The text in ASCII without control characters, escaped as in a JSON string.
void AppendAscii(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    if (c >= 0x20 && c < 0x7f) {
      if (c == '"' || c == '\\') *out += '\\';
      *out += text[0];
      text.remove_prefix(1);
      continue;
    }
    const size_t length = Utf8Length(text);
    const uint32_t point = length == 0 ? 0xFFFD : length == 1 ? c : CodePointAt(text, length);
    if (point > 0xFFFF) {
      const uint32_t rest = point - 0x10000;
      *out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
    } else {
      *out += fmt::format("\\u{:04x}", point);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
}

void AppendValue(const JournalField& field, bool quoted, std::string* out) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (quoted) *out += '"';
    AppendAscii(text->substr(0, kMostMessageBytes), out);
    if (quoted) *out += '"';
  } else if (const auto* number = std::get_if<int64_t>(&field.value)) {
    *out += std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    *out += fmt::format("{:.3f}", *real);
  } else {
    *out += std::get<bool>(field.value) ? "true" : "false";
  }
}

}  // namespace

Journal& Journal::OfProcess() {
  static Journal journal;
  return journal;
}

std::string Journal::Line(JournalFormat format, Millis now, Level level, std::string_view event, std::string_view message, Fields fields) {
  std::string line;
  message = message.substr(0, kMostMessageBytes);
  if (format == JournalFormat::kJson) {
    line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"event\":\"{}\"", FormatRfc3339(now), kLevels[static_cast<size_t>(level)], event);
    if (!message.empty()) {
      line += ",\"message\":\"";
      AppendAscii(message, &line);
      line += '"';
    }
    for (const JournalField& field : fields) {
      line += fmt::format(",\"{}\":", field.name);
      AppendValue(field, true, &line);
    }
    return line + "}\n";
  }
  line = fmt::format("{} {}", FormatRfc3339(now), level == Level::kInfo ? "" : fmt::format("{}: ", kLevels[static_cast<size_t>(level)]));
  AppendAscii(message.empty() ? event : message, &line);
  for (const JournalField& field : fields) {
    line += fmt::format(" {}=", field.name);
    AppendValue(field, false, &line);
  }
  return line + '\n';
}

void Journal::Write(Level level, std::string_view event, std::string_view message, Fields fields) {
  const JournalFormat format = format_;
  if (format == JournalFormat::kOff) return;
  const std::string line = Line(format, WallClock(), level, event, message, fields);
  // There is nowhere to report a failed write to stderr.
  (void)!write(STDERR_FILENO, line.data(), line.size());
}

bool JournalThrottle::Allows(Millis now, int64_t* held_back) {
  int64_t second = second_;
  if (second != now / kSecond && second_.compare_exchange_strong(second, now / kSecond)) written_ = 0;
  if (++written_ > a_second_) {
    ++held_back_;
    return false;
  }
  *held_back = held_back_.exchange(0);
  return true;
}

}  // namespace attune
